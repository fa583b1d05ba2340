// SPDX-License-Identifier: GPL-3.0-or-later
// How good the network is, shown only where it is not good: 3 poor, 4 bad, 5 very bad, 6 down.
import QtQuick

Row {
    id: bars
    property int quality: 0
    visible: quality >= 3
    spacing: 0.5 * kiosk.unit
    Repeater {
        model: 4
        Rectangle {
            required property int index
            anchors.bottom: parent ? parent.bottom : undefined
            width: 0.8 * kiosk.unit
            height: (1.2 + index) * kiosk.unit
            color: index < 6 - bars.quality ? kiosk.theme.warning : kiosk.theme.on_scrim
            opacity: index < 6 - bars.quality ? 1 : 0.4
        }
    }
}
