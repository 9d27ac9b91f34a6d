/**
 * Notices that audio has stopped coming, sooner than the browser does. Pure.
 * The browser needs five to eight seconds to see that the far side is gone.
 */

const STALLED_POLLS = 2;
/** Packets a second from which audio counts as flowing (it is 50 with 20 ms frames). */
const FLOWING = 20;

/** Asked once a second with the packets received so far on one connection. */
export class Flow {
  private last = 0;
  private flowing = false;
  private silentPolls = 0;

  /** True once for each time that audio flowed and then stopped for two polls. */
  stalled(received: number): boolean {
    const fresh = received - this.last;
    this.last = received;
    this.silentPolls = fresh > 0 ? 0 : this.silentPolls + 1;
    if (fresh >= FLOWING) this.flowing = true;
    if (!this.flowing || this.silentPolls < STALLED_POLLS) return false;
    this.flowing = false; // one try for each stop: it may be the far side that has nothing to say
    return true;
  }
}
