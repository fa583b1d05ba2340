// SPDX-License-Identifier: GPL-3.0-or-later
// Nobody calls: where one is, what time it is, whom one can call.
import QtQuick

Item {
    id: page
    readonly property real edge: 6 * kiosk.unit
    // Somebody calls, told above: nobody is to be called now.
    property bool below: false
    readonly property bool lonely: !kiosk.page.callable || below

    Item {
        id: about
        x: kiosk.right_to_left && !kiosk.portrait && !page.lonely ? parent.width - width - page.edge : page.edge
        y: page.edge
        width: kiosk.portrait || page.lonely ? parent.width - 2 * page.edge : parent.width * 0.42 - page.edge
        height: page.lonely ? parent.height - 2 * page.edge - foot.height
            : kiosk.portrait ? (missed.visible ? 74 : 62) * kiosk.unit : parent.height - 2 * page.edge - foot.height
        readonly property int aligned: page.lonely ? Text.AlignHCenter : Text.AlignLeft

        Column {
            width: parent.width
            // Not an anchor that comes and goes: without it the column would stay where it had been.
            y: page.lonely || !kiosk.portrait ? (parent.height - height) / 2 : 0
            spacing: 1.5 * kiosk.unit

            Words {
                objectName: "place"
                width: parent.width
                height: 17 * kiosk.unit
                text: kiosk.place
                size: 7.6
                font.weight: Font.DemiBold
                horizontalAlignment: about.aligned
                verticalAlignment: Text.AlignBottom
                visible: text !== ""
            }
            Words {
                objectName: "clock"
                width: parent.width
                // It gives way to what is told above and below.
                height: Math.max(10 * kiosk.unit, Math.min((page.lonely ? 36 : 29) * kiosk.unit, about.height
                    - (page.below ? 19 : 32) * kiosk.unit - (missed.visible ? 12 * kiosk.unit : 0)))
                text: kiosk.moment.clock
                size: page.lonely ? 25 : 20
                least: 4.5
                maximumLineCount: 1
                font.weight: Font.Light
                horizontalAlignment: about.aligned
                visible: text !== ""
            }
            Words {
                objectName: "date"
                width: parent.width
                height: 9 * kiosk.unit
                text: kiosk.moment.date
                size: 4.8
                maximumLineCount: 1
                color: kiosk.theme.quiet
                horizontalAlignment: about.aligned
                visible: text !== "" && !page.below
            }
            Words {
                objectName: "prompt"
                width: parent.width
                height: 10 * kiosk.unit
                text: kiosk.page.prompt
                size: 5.4
                maximumLineCount: 1
                color: kiosk.theme.accent
                horizontalAlignment: about.aligned
                visible: page.lonely && kiosk.page.hint === ""
            }
            Item {
                width: parent.width
                height: missed.visible ? missed.height + 2 * kiosk.unit : 0
                Rectangle {
                    id: missed
                    objectName: "missed_pill"
                    visible: kiosk.page.missed !== ""
                    anchors.bottom: parent.bottom
                    anchors.left: page.lonely ? undefined : parent.left
                    anchors.horizontalCenter: page.lonely ? parent.horizontalCenter : undefined
                    width: count.width + 13 * kiosk.unit
                    height: 9 * kiosk.unit
                    radius: height / 2
                    color: kiosk.theme.warning
                    Icon {
                        anchors.left: parent.left
                        anchors.leftMargin: 3 * kiosk.unit
                        anchors.verticalCenter: parent.verticalCenter
                        size: 5 * kiosk.unit
                        name: "missed"
                        color: kiosk.theme.on_warning
                    }
                    Words {
                        id: count
                        objectName: "missed"
                        anchors.right: parent.right
                        anchors.rightMargin: 3.5 * kiosk.unit
                        width: Math.min(natural, about.width - 13 * kiosk.unit)
                        height: parent.height
                        text: kiosk.page.missed
                        size: 4.4
                        maximumLineCount: 1
                        color: kiosk.theme.on_warning
                    }
                }
            }
        }
    }

    Item {
        id: people
        visible: !page.lonely
        x: kiosk.portrait || kiosk.right_to_left ? page.edge : parent.width * 0.45
        y: kiosk.portrait ? about.y + about.height + 3 * kiosk.unit : page.edge
        width: kiosk.portrait ? parent.width - 2 * page.edge : parent.width * 0.55 - page.edge
        height: parent.height - y - foot.height - page.edge

        Words {
            id: prompt
            objectName: "prompt_contacts"
            // Rather all contacts at once than words above them.
            readonly property int cards: Math.min(kiosk.page.contacts.length, 4)
            visible: people.height >= (8.5 + 15.2 * cards) * kiosk.unit
            width: parent.width
            height: visible ? 9 * kiosk.unit : 0
            text: kiosk.page.prompt
            size: 5
            maximumLineCount: 1
            color: kiosk.theme.accent
        }
        Contacts {
            anchors.top: prompt.bottom
            anchors.topMargin: prompt.visible ? 1.5 * kiosk.unit : 0
            anchors.left: parent.left
            anchors.right: parent.right
            anchors.bottom: parent.bottom
            onChosen: index => kiosk.call_contact(index)
        }
    }

    Item {
        id: foot
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        anchors.margins: page.edge
        anchors.bottomMargin: 3 * kiosk.unit
        height: controls.visible || hint.visible ? 16 * kiosk.unit : 0

        Hint {
            id: hint
            anchors.left: page.lonely && !controls.visible ? undefined : parent.left
            anchors.horizontalCenter: page.lonely && !controls.visible ? parent.horizontalCenter : undefined
            anchors.verticalCenter: parent.verticalCenter
            color: page.lonely ? kiosk.theme.accent : kiosk.theme.quiet
            most: parent.width - (controls.visible ? controls.width + 3 * kiosk.unit : 0)
        }
        Row {
            id: controls
            anchors.right: parent.right
            anchors.verticalCenter: parent.verticalCenter
            // Below a banner the controls are those of the banner.
            visible: !page.below && kiosk.controls.length > 0
            Repeater {
                model: page.below ? [] : kiosk.controls
                WideButton {
                    required property var modelData
                    objectName: "control_" + modelData.name
                    name: modelData.name
                    label: modelData.label
                    kind: modelData.kind
                    onPressed: kiosk.press(modelData.name)
                }
            }
        }
    }
}
