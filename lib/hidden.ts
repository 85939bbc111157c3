/**
 * A value kept with an object of somebody else's, out of everybody's sight: no key lists it and nothing prints it. It is a private field, which the
 * engine keeps in the object itself. A WeakMap would do the same, but its entries outlive their request until the next full collection of
 * garbage, which shows in the profile of a request (`bench/profile.ts`).
 */
/** The fields of a subclass are laid on what this returns. */
function Target(object: object): object {
  return object;
}

export interface Hidden<T> {
  get(object: object): T | undefined;
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

    static set(object: object, value: T): void {
      if (#value in object) object.#value = value;
      else new Holder(object, value);
    }
  }
  return Holder;
}
