// SPDX-License-Identifier: GPL-3.0-or-later
// Somebody a touch calls.
import QtQuick

Rectangle {
    id: card
    property var face: ({})
    property string action: "call"
    readonly property bool control: true
    signal pressed

    radius: 3 * kiosk.unit
    color: touch.held ? kiosk.theme.control : kiosk.theme.surface

    Avatar {
        id: picture
        anchors.left: parent.left
        anchors.leftMargin: 2.5 * kiosk.unit
        anchors.verticalCenter: parent.verticalCenter
        size: Math.min(parent.height - 4 * kiosk.unit, 15 * kiosk.unit)
        face: card.face
    }
    Words {
        objectName: "contact"
        anchors.left: picture.right
        anchors.leftMargin: 2.5 * kiosk.unit
        anchors.right: disc.left
        anchors.rightMargin: 2 * kiosk.unit
        anchors.top: parent.top
        anchors.bottom: parent.bottom
        text: card.face.name || ""
        size: 5.4
        least: 3.6
    }
    Rectangle {
        id: disc
        anchors.right: parent.right
        anchors.rightMargin: 2.5 * kiosk.unit
        anchors.verticalCenter: parent.verticalCenter
        width: Math.min(parent.height - 5 * kiosk.unit, 11 * kiosk.unit)
        height: width
        radius: width / 2
        color: kiosk.theme.good
        Icon {
            anchors.centerIn: parent
            size: parent.width * 0.52
            name: card.action
            color: kiosk.theme.on_strong
        }
    }
    Press {
        id: touch
        onChosen: card.pressed()
    }
}
