// SPDX-License-Identifier: GPL-3.0-or-later
// The row of controls; as many lines as they need, the last line in the middle.
import QtQuick

Item {
    id: bar
    property color labelColor: kiosk.theme.text
    property bool generous: false
    property var tones: kiosk.theme
    signal chosen(string name)

    readonly property int count: kiosk.controls.length
    readonly property real least: 17 * kiosk.unit
    readonly property int perLine: Math.max(1, Math.min(count, Math.floor(width / least)))
    readonly property int lines: count === 0 ? 0 : Math.ceil(count / perLine)
    readonly property int evenly: lines === 0 ? 1 : Math.ceil(count / lines)
    readonly property real cellWidth: Math.min((generous ? 40 : 25) * kiosk.unit, width / evenly)
    readonly property real cellHeight: (generous ? 25 : 22.5) * kiosk.unit

    implicitHeight: lines * cellHeight

    Column {
        anchors.horizontalCenter: parent.horizontalCenter
        Repeater {
            model: bar.lines
            Row {
                id: line
                required property int index
                anchors.horizontalCenter: parent ? parent.horizontalCenter : undefined
                Repeater {
                    model: kiosk.controls.slice(line.index * bar.evenly, (line.index + 1) * bar.evenly)
                    Item {
                        required property var modelData
                        width: bar.cellWidth
                        height: bar.cellHeight
                        RoundButton {
                            anchors.centerIn: parent
                            objectName: "control_" + modelData.name
                            name: modelData.name
                            label: modelData.label
                            kind: modelData.kind
                            disc: (bar.generous ? 16 : 13) * kiosk.unit
                            width: parent.width - 1 * kiosk.unit
                            labelColor: bar.labelColor
                            tones: bar.tones
                            onPressed: bar.chosen(modelData.name)
                        }
                    }
                }
            }
        }
    }
}
