// SPDX-License-Identifier: Apache-2.0
/**
 * What is received of one user, whichever connection brings it.
 *
 * The stream stays the same one for as long as the user is in the call; the tracks in it are exchanged when
 * another connection takes over, so that a <video> that plays it goes on without a gap.
 */
export class Remote {
  stream = new MediaStream();
  /** Whose tracks are in the stream, null before the first. */
  link = null;
  shownAt = null;
  /** What is wanted of the picture: "h", "l" or "off". */
  layer = "h";
  /** What the user says it sends. */
  sends = { audio: false, video: false };

  /** Whether silence would be a failure. */
  get expected() {
    return this.sends.audio || this.wanted.video;
  }

  /** Of what the user sends, what is wanted here. */
  get wanted() {
    return { audio: this.sends.audio, video: this.sends.video && this.layer !== "off" };
  }

  /** Let this connection's tracks take the place of those before. */
  show(link, now) {
    this.link = link;
    this.shownAt = now;
    this.adopt();
  }

  /** The connection has another track, or the layer has changed. */
  adopt() {
    const tracks = [this.link?.audio, this.link?.video].filter(Boolean);
    const gone = this.stream.getTracks().filter((track) => !tracks.includes(track));
    // A sender may give its tracks the same ids on every connection, and a stream holds an id once.
    const replaced = (old) => tracks.some(({ id }) => id === old.id);
    for (const track of gone.filter(replaced)) this.stream.removeTrack(track);
    // Otherwise the new ones first: a <video> whose stream has no picture for a moment could show it.
    for (const track of tracks) this.stream.addTrack(track);
    for (const track of gone) this.stream.removeTrack(track);
    // Between sessions nobody is asked for a layer; what is not wanted is at least not drawn.
    if (this.link?.video) this.link.video.enabled = this.layer !== "off" || this.link.flow !== "both";
  }

  /** Its connection was closed and none has taken over. */
  lose() {
    this.link = this.shownAt = null;
    this.adopt();
  }
}
