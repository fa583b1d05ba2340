// SPDX-License-Identifier: GPL-3.0-or-later
// The window; `kiosk` (kiosk.py) is everything it shows.
import QtQuick

Window {
    id: window
    color: kiosk.theme.background
    flags: Qt.FramelessWindowHint | Qt.Window
    onWidthChanged: kiosk.window_size(width, height)
    onHeightChanged: kiosk.window_size(width, height)
    Component.onCompleted: kiosk.window_size(width, height)

    Page {
        id: page
        objectName: "page"
        readonly property bool across: kiosk.turn === 90 || kiosk.turn === 270
        anchors.centerIn: parent
        width: across ? window.height : window.width
        height: across ? window.width : window.height
        // Turned here and nowhere else, picture and touches turn alike on every platform.
        rotation: kiosk.turn
    }
}
