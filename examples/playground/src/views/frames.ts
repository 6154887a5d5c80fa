/** `draw` in the next frame, once, however often that is asked for until then: training tells of more than a page can draw. */
export function inNextFrame(draw: () => void): () => void {
  let isAsked = false;
  return () => {
    if (!isAsked) {
      isAsked = true;
      requestAnimationFrame(() => {
        isAsked = false;
        draw();
      });
    }
  };
}
