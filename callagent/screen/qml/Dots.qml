// SPDX-License-Identifier: GPL-3.0-or-later
// Which page of several.
import QtQuick

Row {
    id: dots
    property int count: 1
    property int current: 0
    property color color: kiosk.theme.text
    spacing: 1.6 * kiosk.unit
    visible: count > 1
    Repeater {
        model: dots.count
        Rectangle {
            required property int index
            width: 1.8 * kiosk.unit
            height: width
            radius: width / 2
            color: dots.color
            opacity: index === dots.current ? 1 : 0.35
        }
    }
}
