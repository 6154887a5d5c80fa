import { Observable, type Observer, Subscriber, type Subscription } from 'rxjs';

/**
 * The same stream, but what its observers throw, or reject with where they are async, and errors that nobody handles, go to `report`.
 *
 * RxJS throws such errors in a timer, where nothing can catch them, and leaves promises alone: in Node one mistake in a plot would
 * end the training process. Streams piped from an isolated one are isolated as well, also where their operators wait. A stream
 * merged of several (`merge(a, b)`) is RxJS' own again. What an operator does with a promise is its own affair:
 * `concatMap(async ...)` waits for it and fails with it, `tap(async ...)` lets it go.
 */
export function isolated<T>(source: Observable<T>, report: (error: unknown) => void): Observable<T> {
  const stream = new Observable<T>((subscriber) => source.subscribe(subscriber));
  const subscribe = stream.subscribe.bind(stream) as (observer: Partial<Observer<T>>) => Subscription;
  const pipe = stream.pipe.bind(stream) as (...operations: unknown[]) => unknown;
  const forEach = stream.forEach.bind(stream) as (next: (value: T) => void) => Promise<void>;
  /** @param notify gives a promise where the observer is async. */
  const guard = (notify: () => unknown) => {
    try {
      const given = notify();
      if (isPromise(given)) {
        given.then(undefined, report);
      }
    } catch (thrown) {
      report(thrown);
    }
  };
  const isolatedSubscribe = (
    observerOrNext?: Partial<Observer<T>> | Observer<T>['next'] | null,
    error?: Observer<T>['error'] | null,
    complete?: Observer<T>['complete'] | null,
  ) => {
    // An operator subscribes with a Subscriber: errors travel down to the observer at the end of the pipe.
    if (observerOrNext instanceof Subscriber) {
      return subscribe(observerOrNext);
    }
    const observer: Partial<Observer<T>> =
      typeof observerOrNext === 'object' && observerOrNext !== null
        ? observerOrNext
        : { next: observerOrNext ?? undefined, error: error ?? undefined, complete: complete ?? undefined };
    return subscribe({
      next: (value) => guard(() => observer.next?.(value)),
      error: (thrown) => guard(() => (observer.error ? observer.error(thrown) : report(thrown))),
      complete: () => guard(() => observer.complete?.()),
    });
  };
  const isolatedPipe = (...operations: unknown[]) => {
    const piped = pipe(...operations);
    return piped instanceof Observable ? isolated(piped, report) : piped;
  };
  // What the function throws is in the promise for all of them.
  const isolatedForEach = (next: (value: T) => unknown) =>
    forEach((value) => {
      const given = next(value);
      guard(() => given);
    });
  return Object.assign(stream, { subscribe: isolatedSubscribe, pipe: isolatedPipe, forEach: isolatedForEach });
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
