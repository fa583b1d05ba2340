// SPDX-License-Identifier: GPL-3.0-or-later
// Connected: pictures, how long, and what one can do.
import QtQuick

Item {
    id: page
    property bool inviting: false
    readonly property bool over: kiosk.pictures.duo
    // Arrows stand beside the pictures on a wide screen, below them on a tall one.
    readonly property bool paged: kiosk.pictures.pages > 1
    readonly property real beside: paged && kiosk.touch && !kiosk.portrait ? 13 * kiosk.unit : 0
    readonly property real below: paged && kiosk.touch && kiosk.portrait ? 14 * kiosk.unit : 0
    readonly property real barHeight: foot.height

    Rectangle {
        anchors.fill: parent
        color: kiosk.theme.video
    }

    Item {
        id: area
        x: page.beside
        width: parent.width - 2 * page.beside
        height: parent.height - page.below - (page.over ? 0 : page.barHeight)
        onWidthChanged: kiosk.video_area(width, height)
        onHeightChanged: kiosk.video_area(width, height)
        Component.onCompleted: kiosk.video_area(width, height)

        Repeater {
            model: kiosk.tiles
            CallTile {
                objectName: "tile_" + model.tile
                x: model.x
                y: model.y
                width: model.w
                height: model.h
                z: model.layer
                lift: page.over ? page.barHeight : 0
                onDragged: (x, y) => kiosk.move_tile(model.tile, x, y)
                onTapped: if (model.role === "small" && kiosk.touch) kiosk.press("swap")
                Behavior on x { enabled: !kiosk.still; NumberAnimation { duration: 220; easing.type: Easing.OutCubic } }
                Behavior on y { enabled: !kiosk.still; NumberAnimation { duration: 220; easing.type: Easing.OutCubic } }
            }
        }
    }

    Item {
        id: pager
        visible: page.paged
        y: kiosk.portrait ? area.height : 0
        width: parent.width
        height: kiosk.portrait ? page.below : area.height
        Rectangle {
            anchors.centerIn: dots
            width: dots.width + 4 * kiosk.unit
            height: 5 * kiosk.unit
            radius: height / 2
            color: kiosk.theme.scrim
        }
        Dots {
            id: dots
            anchors.horizontalCenter: parent.horizontalCenter
            y: kiosk.portrait ? (parent.height - height) / 2 : parent.height - height - 2 * kiosk.unit
            count: kiosk.pictures.pages
            current: kiosk.pictures.page
            color: kiosk.theme.on_scrim
        }
        PageArrow {
            objectName: "page_before"
            anchors.left: parent.left
            anchors.verticalCenter: parent.verticalCenter
            visible: kiosk.touch
            forward: false
            onPressed: kiosk.turn_page(-1)
        }
        PageArrow {
            objectName: "page_after"
            anchors.right: parent.right
            anchors.verticalCenter: parent.verticalCenter
            visible: kiosk.touch
            onPressed: kiosk.turn_page(1)
        }
    }

    Words {
        objectName: "watermark"
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        anchors.rightMargin: 2 * kiosk.unit
        anchors.bottomMargin: page.barHeight + 1 * kiosk.unit
        width: 60 * kiosk.unit
        height: 7 * kiosk.unit
        text: kiosk.watermark
        size: 3.4
        maximumLineCount: 1
        color: kiosk.theme.on_scrim
        opacity: 0.7
        horizontalAlignment: Text.AlignRight
        visible: text !== ""
    }

    Rectangle {
        id: timer
        anchors.left: parent.left
        anchors.top: parent.top
        anchors.margins: 3 * kiosk.unit
        width: time.width + 6 * kiosk.unit
        height: 9.4 * kiosk.unit
        radius: height / 2
        color: kiosk.theme.scrim
        Words {
            id: time
            objectName: "timer"
            anchors.centerIn: parent
            width: natural
            height: parent.height
            text: kiosk.moment.timer
            size: 4.8
            maximumLineCount: 1
            color: kiosk.theme.on_scrim
        }
    }

    Rectangle {
        id: foot
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.bottom: parent.bottom
        height: column.height + (column.height > 0 ? 2.5 * kiosk.unit : 0)
        color: kiosk.theme.scrim

        Column {
            id: column
            anchors.horizontalCenter: parent.horizontalCenter
            y: 1.5 * kiosk.unit
            width: parent.width - 2 * kiosk.unit
            ControlBar {
                width: parent.width
                height: implicitHeight
                labelColor: kiosk.theme.on_scrim
                tones: kiosk.over
                onChosen: name => {
                    if (name === "invite") page.inviting = true
                    else kiosk.press(name)
                }
            }
            // Where there are controls, one of them says the same.
            Hint {
                visible: kiosk.page.hint !== "" && kiosk.controls.length === 0
                anchors.horizontalCenter: parent.horizontalCenter
                color: kiosk.theme.on_scrim
                most: parent.width - 8 * kiosk.unit
            }
        }
    }

    Rectangle {
        anchors.fill: parent
        visible: page.inviting
        color: kiosk.theme.background
        // What lies below gets no touches.
        MouseArea { anchors.fill: parent }
        Words {
            id: question
            objectName: "invite"
            anchors.left: parent.left
            anchors.top: parent.top
            anchors.margins: 5 * kiosk.unit
            width: parent.width - 30 * kiosk.unit
            height: 12 * kiosk.unit
            text: kiosk.page.invite
            size: 6
        }
        WideButton {
            objectName: "close"
            anchors.right: parent.right
            anchors.verticalCenter: question.verticalCenter
            anchors.rightMargin: 5 * kiosk.unit
            name: "close"
            label: kiosk.page.close
            onPressed: page.inviting = false
        }
        Contacts {
            anchors.left: parent.left
            anchors.right: parent.right
            anchors.top: question.bottom
            anchors.bottom: parent.bottom
            anchors.margins: 5 * kiosk.unit
            action: "invite"
            onChosen: index => { kiosk.invite_contact(index); page.inviting = false }
        }
    }
}
