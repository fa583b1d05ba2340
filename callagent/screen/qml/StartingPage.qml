// SPDX-License-Identifier: GPL-3.0-or-later
// There is no agent (yet): nobody can do anything about it here, and it ends by itself.
import QtQuick

Item {
    Words {
        objectName: "place"
        anchors.horizontalCenter: parent.horizontalCenter
        anchors.bottom: dots.top
        anchors.bottomMargin: 7 * kiosk.unit
        width: parent.width - 12 * kiosk.unit
        height: 24 * kiosk.unit
        text: kiosk.place
        size: 10
        font.weight: Font.DemiBold
        horizontalAlignment: Text.AlignHCenter
        verticalAlignment: Text.AlignBottom
    }
    Row {
        id: dots
        anchors.centerIn: parent
        spacing: 3 * kiosk.unit
        Repeater {
            model: 3
            Rectangle {
                id: dot
                required property int index
                width: 3 * kiosk.unit
                height: width
                radius: width / 2
                color: kiosk.theme.accent
                SequentialAnimation on opacity {
                    running: !kiosk.still && dot.visible
                    loops: Animation.Infinite
                    PauseAnimation { duration: 250 * dot.index }
                    NumberAnimation { from: 1; to: 0.25; duration: 600; easing.type: Easing.InOutSine }
                    NumberAnimation { from: 0.25; to: 1; duration: 600; easing.type: Easing.InOutSine }
                    PauseAnimation { duration: 250 * (2 - dot.index) }
                }
            }
        }
    }
    Words {
        objectName: "subtitle"
        anchors.horizontalCenter: parent.horizontalCenter
        anchors.top: dots.bottom
        anchors.topMargin: 6 * kiosk.unit
        width: parent.width - 12 * kiosk.unit
        height: 14 * kiosk.unit
        text: kiosk.page.subtitle
        size: 6
        color: kiosk.theme.quiet
        horizontalAlignment: Text.AlignHCenter
        verticalAlignment: Text.AlignTop
    }
}
