// SPDX-License-Identifier: GPL-3.0-or-later
// One person, or a few, fill the page: called, calling, or gone again.
import QtQuick

Item {
    id: page
    readonly property bool incoming: kiosk.page.name === "incoming"
    readonly property bool waiting: incoming || kiosk.page.name === "dialing"
    readonly property var people: kiosk.page.people
    readonly property bool single: people.length < 2
    readonly property real face: (kiosk.portrait ? 44 : waiting ? 23 : 30) * kiosk.unit

    Column {
        id: middle
        anchors.horizontalCenter: parent.horizontalCenter
        y: Math.max(4 * kiosk.unit, (parent.height - foot.height - height) / 2)
        width: parent.width - 12 * kiosk.unit
        spacing: 2.5 * kiosk.unit

        Avatar {
            visible: page.single && page.people.length === 1
            anchors.horizontalCenter: parent.horizontalCenter
            size: page.face
            face: page.people.length > 0 ? page.people[0] : ({})
            calling: page.waiting
        }
        Item {
            visible: page.single
            width: 1
            height: page.waiting ? 2 * kiosk.unit : 0
        }
        Row {
            visible: !page.single
            anchors.horizontalCenter: parent.horizontalCenter
            spacing: 3 * kiosk.unit
            Repeater {
                model: page.single ? [] : page.people.slice(0, kiosk.portrait ? 4 : 6)
                Column {
                    required property var modelData
                    spacing: 1 * kiosk.unit
                    Avatar {
                        anchors.horizontalCenter: parent.horizontalCenter
                        size: 16 * kiosk.unit
                        face: modelData
                        opacity: modelData.outcome === "" ? 1 : 0.5
                    }
                    Words {
                        objectName: "outcome"
                        width: 19 * kiosk.unit
                        height: 7.5 * kiosk.unit
                        text: modelData.outcome
                        size: 3.8
                        maximumLineCount: 1
                        color: kiosk.theme.quiet
                        horizontalAlignment: Text.AlignHCenter
                    }
                }
            }
        }
        Words {
            objectName: "title"
            width: parent.width
            height: (kiosk.portrait ? 22 : 13) * kiosk.unit
            text: kiosk.page.title
            size: 10
            least: 5
            maximumLineCount: kiosk.portrait ? 2 : 1
            font.weight: Font.DemiBold
            horizontalAlignment: Text.AlignHCenter
            visible: text !== ""
        }
        Words {
            objectName: "subtitle"
            width: parent.width
            height: (kiosk.page.title === "" ? 20 : kiosk.portrait ? 12 : 10) * kiosk.unit
            text: kiosk.page.subtitle
            size: kiosk.page.title === "" ? 9 : 6
            maximumLineCount: kiosk.page.title === "" ? 2 : 1
            color: kiosk.page.title === "" ? kiosk.theme.text : kiosk.theme.quiet
            horizontalAlignment: Text.AlignHCenter
        }
        Words {
            objectName: "lasted"
            width: parent.width
            height: 8 * kiosk.unit
            text: kiosk.page.lasted
            size: 5.4
            maximumLineCount: 1
            color: kiosk.theme.quiet
            horizontalAlignment: Text.AlignHCenter
            visible: text !== ""
        }
    }

    Column {
        id: foot
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        anchors.bottomMargin: 3 * kiosk.unit
        spacing: 1 * kiosk.unit

        Hint {
            anchors.horizontalCenter: parent.horizontalCenter
            most: parent.width - 12 * kiosk.unit
        }
        ControlBar {
            width: parent.width - 6 * kiosk.unit
            anchors.horizontalCenter: parent.horizontalCenter
            height: implicitHeight
            generous: page.incoming
            onChosen: name => kiosk.press(name)
        }
    }
}
