// SPDX-License-Identifier: GPL-3.0-or-later
// Somebody calls, told at the upper edge while the page below stays.
import QtQuick

Rectangle {
    id: banner
    readonly property var caller: kiosk.page.people.length > 0 ? kiosk.page.people[0] : ({})
    readonly property real buttons: kiosk.controls.length * 21 * kiosk.unit

    color: kiosk.theme.surface
    border.color: kiosk.theme.accent
    border.width: Math.max(2, 0.5 * kiosk.unit)
    radius: 3 * kiosk.unit
    height: (kiosk.portrait ? 52 : 30) * kiosk.unit

    Avatar {
        id: face
        anchors.left: parent.left
        anchors.leftMargin: 4 * kiosk.unit
        y: 5 * kiosk.unit
        size: 20 * kiosk.unit
        face: banner.caller
    }
    Words {
        id: who
        objectName: "title"
        anchors.left: face.right
        anchors.leftMargin: 4 * kiosk.unit
        anchors.top: face.top
        width: parent.width - face.width - 12 * kiosk.unit - (kiosk.portrait ? 0 : banner.buttons)
        height: 12 * kiosk.unit
        text: kiosk.page.title
        size: 7
        font.weight: Font.DemiBold
    }
    Words {
        objectName: "subtitle"
        anchors.left: who.left
        anchors.top: who.bottom
        width: who.width
        height: 7 * kiosk.unit
        text: kiosk.page.subtitle
        size: 4.8
        maximumLineCount: 1
        color: kiosk.theme.quiet
    }
    ControlBar {
        anchors.right: parent.right
        anchors.rightMargin: kiosk.portrait ? 0 : 2 * kiosk.unit
        anchors.bottom: parent.bottom
        anchors.bottomMargin: (kiosk.portrait ? 1 : 4) * kiosk.unit
        width: kiosk.portrait ? parent.width : banner.buttons
        height: implicitHeight
        onChosen: name => kiosk.press(name)
    }
}
