/** The least time between two announcements to screen readers, in milliseconds. */
const SAID_EVERY = 5000;

/** Says news, one at a time. */
export interface Announcement {
  /** There is something new: it is said at once, or when the last one is long enough ago. */
  tell(): void;
  /** Says no more until it is told of something again. */
  stop(): void;
}

/** @param say says what is the news by then. */
export function announcement(say: () => void): Announcement {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hasNews = false;
  const next = () => {
    timer = undefined;
    if (hasNews) {
      hasNews = false;
      say();
      timer = setTimeout(next, SAID_EVERY);
    }
  };
  return {
    tell() {
      hasNews = true;
      if (timer === undefined) {
        next();
      }
    },
    stop() {
      clearTimeout(timer);
      timer = undefined;
      hasNews = false;
    },
  };
}
