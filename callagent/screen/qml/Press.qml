// SPDX-License-Identifier: GPL-3.0-or-later
// What makes of its parent a control: touch, and keys while it has the focus, which a ring then shows.
import QtQuick

Item {
    id: press
    property real radius: parent.radius || 3 * kiosk.unit
    property color ring: kiosk.theme.accent
    readonly property alias held: touch.pressed
    signal chosen

    anchors.fill: parent
    activeFocusOnTab: true
    Keys.onReturnPressed: chosen()
    Keys.onEnterPressed: chosen()
    Keys.onSpacePressed: chosen()

    Rectangle {
        anchors.fill: parent
        visible: press.activeFocus
        color: "transparent"
        radius: press.radius
        border.color: press.ring
        border.width: 0.9 * kiosk.unit
    }
    TapHandler {
        id: touch
        gesturePolicy: TapHandler.WithinBounds
        onTapped: press.chosen()
    }
}
