// SPDX-License-Identifier: GPL-3.0-or-later
// Drawn for this project on a grid of 24: lines two thick, or filled.
.pragma library

var handset = "M 6.6 3.5 L 9.6 3.5 L 11 8 L 8.8 9.7 C 9.9 12 12 14.1 14.3 15.2 L 16 13 L 20.5 14.4 L 20.5 17.4 " +
    "C 20.5 19.2 19.2 20.5 17.4 20.5 C 9.9 20.1 3.9 14.1 3.5 6.6 C 3.5 4.8 4.8 3.5 6.6 3.5 Z"
var loudspeaker = "M 3.5 9.5 L 7 9.5 L 11.5 5.5 L 11.5 18.5 L 7 14.5 L 3.5 14.5 Z"
var microphone = "M 12 3 C 13.7 3 15 4.3 15 6 L 15 12 C 15 13.7 13.7 15 12 15 C 10.3 15 9 13.7 9 12 L 9 6 C 9 4.3 10.3 3 12 3 Z " +
    "M 5.5 11.5 C 5.5 15.1 8.4 18 12 18 C 15.6 18 18.5 15.1 18.5 11.5 M 12 18 L 12 21.2"
var camera = "M 4.5 7 L 14 7 C 14.8 7 15.5 7.7 15.5 8.5 L 15.5 15.5 C 15.5 16.3 14.8 17 14 17 L 4.5 17 C 3.7 17 3 16.3 3 15.5 " +
    "L 3 8.5 C 3 7.7 3.7 7 4.5 7 Z M 15.5 10.7 L 21 7.6 L 21 16.4 L 15.5 13.3"
var circle = "M 12 3 C 17 3 21 7 21 12 C 21 17 17 21 12 21 C 7 21 3 17 3 12 C 3 7 7 3 12 3 Z"
var slash = " M 4 3.5 L 20 20.5"

// name: [path, filled, degrees turned]
var icons = {
    "answer": [handset, true, 0],
    "call": [handset, true, 0],
    "voice": [handset, true, 0],
    "reject": [handset, true, 135],
    "hang_up": [handset, true, 135],
    "missed": ["M 4 6 L 11 13 L 20 4 M 4 6 L 4 11.5 M 4 6 L 9.5 6 M 3.5 20 C 8 16.5 16 16.5 20.5 20", false, 0],
    "microphone": [microphone, false, 0],
    "microphone_off": [microphone + slash, false, 0],
    "camera": [camera, false, 0],
    "camera_off": [camera + slash, false, 0],
    "switch_camera": ["M 3.5 11 C 4 6.5 7.5 3.5 12 3.5 C 15 3.5 17.6 5 19 7.3 M 19.5 3 L 19.5 7.5 L 15 7.5 " +
        "M 20.5 13 C 20 17.5 16.5 20.5 12 20.5 C 9 20.5 6.4 19 5 16.7 M 4.5 21 L 4.5 16.5 L 9 16.5 " +
        "M 12 9.3 C 13.5 9.3 14.7 10.5 14.7 12 C 14.7 13.5 13.5 14.7 12 14.7 C 10.5 14.7 9.3 13.5 9.3 12 C 9.3 10.5 10.5 9.3 12 9.3 Z", false, 0],
    "volume_down": [loudspeaker + " M 15.5 12 L 21 12", false, 0],
    "volume_up": [loudspeaker + " M 15.5 12 L 21 12 M 18.25 9.25 L 18.25 14.75", false, 0],
    "invite": ["M 9.5 4 C 11.4 4 13 5.6 13 7.5 C 13 9.4 11.4 11 9.5 11 C 7.6 11 6 9.4 6 7.5 C 6 5.6 7.6 4 9.5 4 Z " +
        "M 3 20 C 3 16.4 5.9 13.8 9.5 13.8 C 13.1 13.8 16 16.4 16 20 M 19 8 L 19 14 M 16 11 L 22 11", false, 0],
    "privacy": ["M 2.5 12 C 5.5 6 18.5 6 21.5 12 C 18.5 18 5.5 18 2.5 12 Z " +
        "M 12 9.3 C 13.5 9.3 14.7 10.5 14.7 12 C 14.7 13.5 13.5 14.7 12 14.7 C 10.5 14.7 9.3 13.5 9.3 12 C 9.3 10.5 10.5 9.3 12 9.3 Z" + slash, false, 0],
    "swap": ["M 7 4 L 3.5 7.5 L 7 11 M 3.5 7.5 L 18 7.5 M 17 13 L 20.5 16.5 L 17 20 M 20.5 16.5 L 6 16.5", false, 0],
    "layout": ["M 4 4 L 10.3 4 L 10.3 10.3 L 4 10.3 Z M 13.7 4 L 20 4 L 20 10.3 L 13.7 10.3 Z " +
        "M 4 13.7 L 10.3 13.7 L 10.3 20 L 4 20 Z M 13.7 13.7 L 20 13.7 L 20 20 L 13.7 20 Z", false, 0],
    "warning": ["M 12 4 L 21.5 20 L 2.5 20 Z M 12 10 L 12 14.5 M 12 17.2 L 12 17.3", false, 0],
    "error": [circle + " M 12 7.5 L 12 12.8 M 12 16.2 L 12 16.3", false, 0],
    "calm": [circle + " M 12 11 L 12 16.5 M 12 7.7 L 12 7.8", false, 0],
    "next": ["M 9 5 L 16 12 L 9 19", false, 0],
    "close": ["M 5.5 5.5 L 18.5 18.5 M 18.5 5.5 L 5.5 18.5", false, 0],
    "button": [circle + " M 12 8 C 14.2 8 16 9.8 16 12 C 16 14.2 14.2 16 12 16 C 9.8 16 8 14.2 8 12 C 8 9.8 9.8 8 12 8 Z", false, 0]
}
