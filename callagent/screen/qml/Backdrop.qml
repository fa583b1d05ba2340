// SPDX-License-Identifier: GPL-3.0-or-later
// Behind everything: the site's picture, or a plain surface.
import QtQuick

Rectangle {
    color: kiosk.theme.background
    gradient: Gradient {
        GradientStop { position: 0; color: kiosk.theme.background2 }
        GradientStop { position: 1; color: kiosk.theme.background }
    }

    Image {
        id: picture
        anchors.fill: parent
        source: kiosk.background
        fillMode: Image.PreserveAspectCrop
        sourceSize.width: parent.width
        visible: status === Image.Ready
    }
    // Words must stand out whatever the picture shows.
    Rectangle {
        anchors.fill: parent
        visible: picture.visible
        color: kiosk.theme.veil
    }
}
