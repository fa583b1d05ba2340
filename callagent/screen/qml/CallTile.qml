// SPDX-License-Identifier: GPL-3.0-or-later
// One member's picture with name and marks; without picture, their face.
import QtQuick
import CallAgent

Rectangle {
    id: tile
    required property var model
    readonly property bool large: model.role === "large"
    readonly property bool roomy: Math.min(width, height) > 24 * kiosk.unit
    // The picture goes before its tile does.
    readonly property bool showsVideo: picture !== null && model.video && !model.closed && picture.hasPicture
    // What stands over the lower edge of a large tile.
    property real lift: 0
    property point away: Qt.point(0, 0)
    signal dragged(real x, real y)
    signal tapped

    color: showsVideo ? kiosk.theme.video : kiosk.theme.surface
    clip: true
    transform: Translate { x: tile.away.x; y: tile.away.y }

    VideoTile {
        id: picture
        objectName: "video"
        anchors.fill: parent
        stream: tile.model.stream
        fill: tile.model.fill
        mirror: tile.model.mirror
        visible: tile.showsVideo
    }

    Avatar {
        anchors.centerIn: parent
        anchors.verticalCenterOffset: tile.roomy ? -2 * kiosk.unit : 0
        visible: !tile.showsVideo
        size: Math.min(tile.width, tile.height) * (tile.large ? 0.36 : 0.5)
        face: ({ "initials": tile.model.initials, "colour": tile.model.colour, "picture": tile.model.picture })
    }

    // The connection is being restored: what is seen is old.
    Rectangle {
        anchors.fill: parent
        color: kiosk.theme.scrim
        visible: tile.model.reconnecting
    }

    // Who it is, and what is the matter.
    Rectangle {
        id: plate
        readonly property int marked: tile.model.muted + tile.model.closed + tile.model.reconnecting
            + (tile.model.quality >= 3)
        visible: tile.roomy && (name.text !== "" || marks.visible)
        anchors.left: parent.left
        anchors.bottom: parent.bottom
        anchors.margins: 1.5 * kiosk.unit
        anchors.bottomMargin: 1.5 * kiosk.unit + (tile.large ? tile.lift : 0)
        width: row.width + 4 * kiosk.unit
        height: 8 * kiosk.unit
        radius: height / 2
        color: kiosk.theme.scrim

        Row {
            id: row
            anchors.centerIn: parent
            spacing: 1.5 * kiosk.unit
            Icon {
                anchors.verticalCenter: parent.verticalCenter
                visible: tile.model.reconnecting
                name: "warning"
                size: 4.4 * kiosk.unit
                color: kiosk.theme.warning
            }
            Icon {
                anchors.verticalCenter: parent.verticalCenter
                visible: tile.model.muted
                name: "microphone_off"
                size: 4.4 * kiosk.unit
                color: kiosk.theme.on_scrim
            }
            Icon {
                id: marks
                anchors.verticalCenter: parent.verticalCenter
                visible: tile.model.closed
                name: "privacy"
                size: 4.4 * kiosk.unit
                color: kiosk.theme.on_scrim
            }
            Bars {
                anchors.verticalCenter: parent.verticalCenter
                quality: tile.model.quality
            }
            Words {
                id: name
                objectName: "name"
                anchors.verticalCenter: parent.verticalCenter
                width: Math.max(0, Math.min(natural, tile.width - (7 + 6 * plate.marked) * kiosk.unit))
                height: 7.6 * kiosk.unit
                text: tile.model.name
                size: 3.8
                least: 2.75
                maximumLineCount: 1
                color: kiosk.theme.on_scrim
            }
        }
    }
    // Who speaks. The large tile of two needs no frame, there is nobody to mistake them for.
    Rectangle {
        anchors.fill: parent
        color: "transparent"
        border.width: tile.model.speaking && !tile.large ? Math.max(3, 0.9 * kiosk.unit)
            : tile.model.role === "small" ? Math.max(2, 0.4 * kiosk.unit) : 0
        border.color: tile.model.speaking ? kiosk.theme.speaking : kiosk.theme.on_scrim
    }

    TapHandler {
        // Takes the touch, as the controls above do: one touch means one thing.
        gesturePolicy: TapHandler.ReleaseWithinBounds
        onTapped: tile.tapped()
    }
    DragHandler {
        id: drag
        enabled: kiosk.touch && tile.model.role !== "large"
        target: null
        // The layout places the tile; until the finger is lifted it only looks elsewhere.
        onCentroidChanged: if (active) {
            // Points of the scene: the page may be turned in it.
            const from = tile.parent.mapFromItem(null, centroid.scenePressPosition)
            const to = tile.parent.mapFromItem(null, centroid.scenePosition)
            tile.away = Qt.point(to.x - from.x, to.y - from.y)
        }
        onActiveChanged: if (!active) {
            const x = tile.x + tile.width / 2 + tile.away.x
            const y = tile.y + tile.height / 2 + tile.away.y
            tile.away = Qt.point(0, 0)
            tile.dragged(x, y)
        }
    }
}
