// SPDX-License-Identifier: GPL-3.0-or-later
// What is wrong, at the upper edge; nothing there while all is well.
import QtQuick

Column {
    property int most: 2
    spacing: 1.2 * kiosk.unit

    Repeater {
        model: kiosk.notices.slice(0, most)
        Rectangle {
            id: notice
            required property var modelData
            width: parent.width
            height: (words.natural > words.width ? 14 : 10) * kiosk.unit
            radius: 2.5 * kiosk.unit
            color: kiosk.theme[modelData.weight]
            readonly property color ink: kiosk.theme["on_" + modelData.weight]

            Icon {
                id: sign
                anchors.left: parent.left
                anchors.leftMargin: 3 * kiosk.unit
                anchors.verticalCenter: parent.verticalCenter
                size: 6 * kiosk.unit
                name: notice.modelData.weight
                color: notice.ink
            }
            Words {
                id: words
                objectName: "notice"
                anchors.left: sign.right
                anchors.leftMargin: 2.4 * kiosk.unit
                anchors.right: parent.right
                anchors.rightMargin: 3 * kiosk.unit
                anchors.top: parent.top
                anchors.bottom: parent.bottom
                anchors.topMargin: 0.4 * kiosk.unit
                anchors.bottomMargin: 0.4 * kiosk.unit
                text: notice.modelData.text
                size: 4.6
                color: notice.ink
            }
        }
    }
}
