// SPDX-License-Identifier: GPL-3.0-or-later
// To the next page of pictures, or the one before.
import QtQuick

Item {
    id: arrow
    property bool forward: true
    readonly property bool control: true
    signal pressed

    width: 13 * kiosk.unit
    height: 13 * kiosk.unit

    Rectangle {
        anchors.centerIn: parent
        width: 10.5 * kiosk.unit
        height: width
        radius: width / 2
        color: kiosk.theme.scrim
        Icon {
            anchors.centerIn: parent
            name: "next"
            color: kiosk.theme.on_scrim
            rotation: arrow.forward ? 0 : 180
        }
    }
    Press {
        radius: width / 2
        ring: kiosk.over.accent
        onChosen: arrow.pressed()
    }
}
