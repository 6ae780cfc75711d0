// Reorders tiles by dragging.
/** Drag data type of a tile. */
const DRAGGED = "application/x-framelane-lane";

/**
 * Makes a tile draggable by its handle, and a drop target for others; `after` tells on which half they were
 * dropped.
 */
export function listenForDrag(
  root: HTMLElement,
  handle: HTMLElement,
  lane: string,
  onMove: (moved: string, after: boolean) => void,
): void {
  handle.addEventListener("dragstart", (event) => {
    event.dataTransfer?.setData(DRAGGED, lane);
    if (event.dataTransfer !== null) event.dataTransfer.effectAllowed = "move";
    root.classList.add("dragged");
  });
  handle.addEventListener("dragend", () => root.classList.remove("dragged"));
  const isAfter = (event: DragEvent) => {
    const { left, width } = root.getBoundingClientRect();
    return event.clientX > left + width / 2;
  };
  const clear = () => root.classList.remove("drop-before", "drop-after");
  root.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes(DRAGGED)) return;
    event.preventDefault();
    const after = isAfter(event);
    root.classList.toggle("drop-after", after);
    root.classList.toggle("drop-before", !after);
  });
  root.addEventListener("dragleave", clear);
  root.addEventListener("drop", (event) => {
    clear();
    const moved = event.dataTransfer?.getData(DRAGGED) ?? "";
    if (moved === "" || moved === lane) return;
    event.preventDefault();
    onMove(moved, isAfter(event));
  });
}
