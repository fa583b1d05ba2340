// SPDX-License-Identifier: GPL-3.0-or-later
// A control: a disc with a drawing, its word below. The whole of it takes touches.
import QtQuick

Item {
    id: button
    property string name: ""
    property string label: ""
    property string kind: "plain"
    property real disc: 13 * kiosk.unit
    property color labelColor: kiosk.theme.text
    property var tones: kiosk.theme
    readonly property bool control: true
    signal pressed

    implicitWidth: Math.max(disc, 15.5 * kiosk.unit)
    implicitHeight: disc + 8.6 * kiosk.unit

    readonly property var fills: ({
        "good": tones.good, "bad": tones.bad, "plain": tones.control, "off": tones.off
    })
    readonly property var inks: ({
        "good": tones.on_strong, "bad": tones.on_strong, "plain": tones.on_control, "off": tones.on_off
    })

    Rectangle {
        id: circle
        width: button.disc
        height: button.disc
        radius: width / 2
        anchors.horizontalCenter: parent.horizontalCenter
        color: button.fills[button.kind]
        scale: touch.held ? 0.93 : 1

        Icon {
            anchors.centerIn: parent
            size: button.disc * 0.52
            color: button.inks[button.kind]
            name: button.kind === "off" && (button.name === "microphone" || button.name === "camera")
                ? button.name + "_off" : button.name
        }
    }

    Words {
        objectName: "label"
        anchors.top: circle.bottom
        anchors.topMargin: 0.6 * kiosk.unit
        width: parent.width
        height: 8 * kiosk.unit
        text: button.label
        size: 3.6
        least: 2.8
        color: button.labelColor
        horizontalAlignment: Text.AlignHCenter
        verticalAlignment: Text.AlignTop
    }

    Press {
        id: touch
        ring: button.tones.accent
        onChosen: button.pressed()
    }
}
