// SPDX-License-Identifier: GPL-3.0-or-later
// A control with its word beside the drawing, for the foot of a page.
import QtQuick

Rectangle {
    id: button
    property string name: ""
    property string label: ""
    property string kind: "plain"
    readonly property bool control: true
    readonly property color ink: kind === "off" ? kiosk.theme.on_off : kiosk.theme.on_control
    signal pressed

    width: word.width + 16.5 * kiosk.unit
    height: 12 * kiosk.unit
    radius: height / 2
    color: kind === "off" ? kiosk.theme.off : kiosk.theme.control

    Icon {
        anchors.left: parent.left
        anchors.leftMargin: 4 * kiosk.unit
        anchors.verticalCenter: parent.verticalCenter
        size: 6 * kiosk.unit
        name: button.name
        color: button.ink
    }
    Words {
        id: word
        objectName: "label"
        anchors.right: parent.right
        anchors.rightMargin: 4.5 * kiosk.unit
        width: Math.min(natural, 34 * kiosk.unit)
        height: parent.height
        text: button.label
        size: 4.4
        maximumLineCount: 1
        color: button.ink
    }
    Press { onChosen: button.pressed() }
}
