/**
 * Two ways of looking: the operator's (names, clock, alerts) and the engineer's, with all numbers.
 * Remembered by the browser.
 *
 * @module
 */

const KEY = "framelane-detail";

/** Whether the page shows numbers and charts. */
export function showsNumbers(): boolean {
  return localStorage.getItem(KEY) !== "operator";
}

/** Shows what was chosen last. */
export function startDetail(): void {
  document.body.classList.toggle("operator", !showsNumbers());
}

/** The other way; `then` draws what depends on it. */
export function toggleDetail(then: () => void): void {
  localStorage.setItem(KEY, showsNumbers() ? "operator" : "engineer");
  startDetail();
  then();
}
