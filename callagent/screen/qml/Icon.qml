// SPDX-License-Identifier: GPL-3.0-or-later
// A drawing of icons.js in one colour; paths rather than files, so that no image plug-in is needed.
import QtQuick
import QtQuick.Shapes
import "icons.js" as Icons

Item {
    id: icon
    property string name: ""
    property color color: kiosk.theme.text
    property real size: 6 * kiosk.unit
    readonly property var drawing: Icons.icons[name]

    implicitWidth: size
    implicitHeight: size
    visible: drawing !== undefined

    Shape {
        width: 24
        height: 24
        anchors.centerIn: parent
        // Arrows follow the script; a telephone does not.
        scale: icon.size / 24 * (icon.name === "next" && kiosk.right_to_left ? -1 : 1)
        rotation: icon.drawing ? icon.drawing[2] : 0

        ShapePath {
            strokeColor: icon.color
            strokeWidth: icon.drawing && icon.drawing[1] ? 1 : 2
            fillColor: icon.drawing && icon.drawing[1] ? icon.color : "transparent"
            capStyle: ShapePath.RoundCap
            joinStyle: ShapePath.RoundJoin
            PathSvg { path: icon.drawing ? icon.drawing[0] : "" }
        }
    }
}
