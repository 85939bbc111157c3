/**
 * A value kept with an object of somebody else's, out of everybody's sight: no key lists it and nothing prints it, not even `inspect()` with
 * `showHidden`, which would print the secrets in the options. It is a private field, which the engine keeps in the object itself.
 *
 * A WeakMap would be plainer and do the same, but its entries outlive their request until the next full collection of garbage: measured alone it
 * takes six to ten times as long, and four times as much of the collector's, and every request has two of them (`bench/profile.ts`).
 */

/** The constructor of a class may return any object: the private fields of its subclasses are then laid on that one. */
function Target(object: object): object {
  return object;
}

interface Hidden<T> {
  get(object: object): T | undefined;
  /** Of the object, or of one that it inherits from: an app may have wrapped ours. */
  inherited(object: object): T | undefined;
  set(object: object, value: T): void;
}

export function hidden<T>(): Hidden<T> {
  class Holder extends (Target as unknown as new (object: object) => object) {
    #value: T;

    constructor(object: object, value: T) {
      super(object);
      this.#value = value;
    }

    static get(object: object): T | undefined {
      return #value in object ? object.#value : undefined;
    }

    static inherited(object: object): T | undefined {
      for (let own: object | null = object; own !== null; own = Object.getPrototypeOf(own) as object | null) {
        if (#value in own) return own.#value;
      }
      return undefined;
    }

    static set(object: object, value: T): void {
      if (#value in object) object.#value = value;
      else new Holder(object, value);
    }
  }
  return Holder;
}
