// SPDX-License-Identifier: GPL-3.0-or-later
// Contacts as large cards, a page at a time.
import QtQuick

Item {
    id: list
    property string action: "call"
    signal chosen(int index)

    readonly property var people: kiosk.page.contacts
    readonly property int columns: width > 110 * kiosk.unit && people.length > 3 ? 2 : 1
    readonly property int lines: Math.max(1, Math.floor((height + gap) / (13.2 * kiosk.unit + gap)))
    readonly property bool paged: people.length > columns * lines
    readonly property int fits: Math.max(1, paged ? columns * Math.max(1, lines - 1) : columns * lines)
    readonly property int pages: Math.ceil(people.length / fits)
    property int shown: 0
    readonly property real gap: 2 * kiosk.unit
    readonly property int onPage: Math.min(fits, people.length - shown * fits)
    readonly property int usedLines: Math.ceil(Math.min(fits, people.length) / columns)
    readonly property real cardHeight: Math.min(18 * kiosk.unit,
        ((paged ? height - 16 * kiosk.unit : height) - (usedLines - 1) * gap) / Math.max(1, usedLines))

    onPagesChanged: if (shown >= pages) shown = 0

    Grid {
        id: grid
        anchors.left: parent.left
        anchors.right: parent.right
        columns: list.columns
        spacing: list.gap
        Repeater {
            model: list.onPage
            ContactCard {
                required property int index
                readonly property int number: list.shown * list.fits + index
                objectName: "contact_" + number
                width: (list.width - (list.columns - 1) * list.gap) / list.columns
                height: list.cardHeight
                face: list.people[number] || ({})
                action: list.action
                onPressed: list.chosen(number)
            }
        }
    }
    Row {
        visible: list.paged
        anchors.bottom: parent.bottom
        anchors.right: parent.right
        spacing: 3 * kiosk.unit
        Dots {
            anchors.verticalCenter: parent.verticalCenter
            count: list.pages
            current: list.shown
        }
        Rectangle {
            objectName: "more"
            readonly property bool control: true
            width: 13 * kiosk.unit
            height: width
            radius: width / 2
            color: kiosk.theme.control
            Icon { anchors.centerIn: parent; name: "next"; color: kiosk.theme.on_control }
            Press { onChosen: list.shown = (list.shown + 1) % list.pages }
        }
    }
}
