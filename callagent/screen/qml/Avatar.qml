// SPDX-License-Identifier: GPL-3.0-or-later
// Somebody without moving picture: their picture if the site has one, else initials.
import QtQuick

Item {
    id: avatar
    property var face: ({})
    property real size: 20 * kiosk.unit
    property bool calling: false

    implicitWidth: size
    implicitHeight: size

    Rectangle {
        id: wave
        anchors.centerIn: parent
        width: avatar.size * 1.16
        height: width
        radius: width / 2
        color: "transparent"
        border.width: Math.max(2, 0.8 * kiosk.unit)
        border.color: kiosk.theme.accent
        visible: avatar.calling
        opacity: 0.8

        SequentialAnimation on opacity {
            running: avatar.calling && !kiosk.still && avatar.visible
            loops: Animation.Infinite
            NumberAnimation { from: 0.9; to: 0.2; duration: 900; easing.type: Easing.InOutSine }
            NumberAnimation { from: 0.2; to: 0.9; duration: 900; easing.type: Easing.InOutSine }
        }
    }

    Rectangle {
        anchors.fill: parent
        radius: width / 2
        color: avatar.face.colour || kiosk.theme.surface
        visible: picture.status !== Image.Ready

        Text {
            anchors.centerIn: parent
            text: avatar.face.initials || ""
            color: "#FFFFFF"
            font.pixelSize: Math.max(8, Math.round(avatar.size * 0.38))
            font.weight: Font.DemiBold
            textFormat: Text.PlainText
        }
    }

    // A square of the picture; round corners would need what the software painter cannot do.
    Image {
        id: picture
        anchors.fill: parent
        source: avatar.face.picture || ""
        fillMode: Image.PreserveAspectCrop
        sourceSize.width: avatar.size
        visible: status === Image.Ready
    }
}
