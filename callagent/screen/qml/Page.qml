// SPDX-License-Identifier: GPL-3.0-or-later
// Everything, upright for who stands before it.
import QtQuick

FocusScope {
    id: page
    focus: true
    readonly property string name: kiosk.page.name
    readonly property bool banner: name === "incoming" && kiosk.page.banner
    // What is told at the upper end moves everything but pictures down.
    readonly property real told: name === "connected" || !notices.visible || notices.height === 0
        ? 0 : notices.y + notices.height - 2 * kiosk.unit

    // From control to control, wherever the focus was lost with a page that is gone.
    function move(forward) {
        const from = Window.activeFocusItem || page
        const next = from.nextItemInFocusChain(forward)
        if (next !== null)
            next.forceActiveFocus(forward ? Qt.TabFocusReason : Qt.BacktabFocusReason)
    }
    function leave() {
        const way = kiosk.controls.find(each => each.name === "reject" || each.name === "hang_up")
        if (way !== undefined)
            kiosk.press(way.name)
    }
    onNameChanged: forceActiveFocus()
    Keys.onTabPressed: move(true)
    Keys.onBacktabPressed: move(false)
    Keys.onDownPressed: move(true)
    Keys.onUpPressed: move(false)
    Keys.onRightPressed: move(!kiosk.right_to_left)
    Keys.onLeftPressed: move(kiosk.right_to_left)
    Keys.onEscapePressed: leave()

    LayoutMirroring.enabled: kiosk.right_to_left
    LayoutMirroring.childrenInherit: true

    Backdrop { anchors.fill: parent }

    // Nothing stands at one place for years: the idle page moves by a little every minute.
    Item {
        id: shift
        property int step: 0
        readonly property real reach: 0.6 * kiosk.unit
        readonly property real above: page.banner ? call.height + 2 * kiosk.unit : page.told
        width: parent.width
        height: parent.height - above
        x: [0, reach, 0, -reach][step % 4]
        y: above + [0, 0, reach, 0][step % 4]

        Loader {
            anchors.fill: parent
            active: page.name === "idle" || page.banner
            sourceComponent: Component { IdlePage { below: page.banner } }
        }
        Timer {
            interval: 60000
            repeat: true
            running: page.name === "idle" && !kiosk.still
            onTriggered: shift.step += 1
        }
    }
    Loader {
        anchors.fill: parent
        active: page.name === "starting"
        sourceComponent: Component { StartingPage { } }
    }
    Loader {
        anchors.fill: parent
        anchors.topMargin: page.told
        active: (page.name === "incoming" && !page.banner) || page.name === "dialing" || page.name === "ended"
        sourceComponent: Component { PersonPage { } }
    }
    Loader {
        anchors.fill: parent
        active: page.name === "connected"
        sourceComponent: Component { CallPage { } }
    }
    Loader {
        id: call
        anchors.left: parent.left
        anchors.right: parent.right
        anchors.top: parent.top
        anchors.margins: 4 * kiosk.unit
        active: page.banner
        sourceComponent: Component { Banner { } }
    }
    Notices {
        id: notices
        most: page.name === "connected" ? 2 : 1
        // In a call of two the own picture stands at the upper end: beside it where there is room, else below it.
        readonly property bool beside: page.name === "connected" && kiosk.pictures.duo && !kiosk.portrait
        readonly property bool below: page.name === "connected" && kiosk.pictures.duo && kiosk.portrait
        anchors.left: parent.left
        anchors.leftMargin: beside ? 3 * kiosk.unit : (parent.width - width) / 2
        y: (below ? 50 : page.name === "connected" ? 14 : 3) * kiosk.unit
        width: beside ? parent.width * 0.7 - 6 * kiosk.unit
            : Math.min(parent.width - 8 * kiosk.unit, 130 * kiosk.unit)
        visible: !page.banner
    }
}
