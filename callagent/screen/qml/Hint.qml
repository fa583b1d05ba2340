// SPDX-License-Identifier: GPL-3.0-or-later
// What the box's own button does now.
import QtQuick

Row {
    id: hint
    property color color: kiosk.theme.quiet
    property real most: 80 * kiosk.unit
    visible: kiosk.page.hint !== ""
    spacing: 2 * kiosk.unit
    // Two lines where one is not enough.
    height: (words.natural > room ? 12.5 : 8) * kiosk.unit
    readonly property real room: most - sign.width - spacing

    Icon {
        id: sign
        anchors.verticalCenter: parent.verticalCenter
        size: 5.5 * kiosk.unit
        name: "button"
        color: hint.color
    }
    Words {
        id: words
        objectName: "hint"
        anchors.verticalCenter: parent.verticalCenter
        width: Math.min(natural, hint.room)
        height: parent.height
        text: kiosk.page.hint
        size: 4.2
        color: hint.color
    }
}
