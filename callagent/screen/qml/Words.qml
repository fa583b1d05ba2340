// SPDX-License-Identifier: GPL-3.0-or-later
// Text that gets smaller before it gets cut, and begins where its language begins.
import QtQuick

Text {
    id: words
    property real size: 4.5
    property real least: Math.max(3, size * 0.6)
    // In one line at full size; implicitWidth would follow the width it is given.
    readonly property real natural: Math.ceil(Math.max(metrics.advanceWidth, metrics.boundingRect.width) + 0.5 * kiosk.unit)
    // As numbers, for who looks at the page from outside.
    readonly property int across: effectiveHorizontalAlignment
    readonly property int down: verticalAlignment

    color: kiosk.theme.text
    font.pixelSize: Math.round(size * kiosk.unit)
    minimumPixelSize: Math.round(least * kiosk.unit)
    fontSizeMode: Text.Fit
    elide: Text.ElideRight
    wrapMode: maximumLineCount > 1 ? Text.WordWrap : Text.NoWrap
    maximumLineCount: 2
    // Written out, so that a page mirrored for its language turns it round whatever the text's script is.
    horizontalAlignment: Text.AlignLeft
    verticalAlignment: Text.AlignVCenter
    // Names and texts of other people are no markup.
    textFormat: Text.PlainText

    TextMetrics {
        id: metrics
        font: words.font
        text: words.text
    }
}
