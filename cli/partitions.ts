// Which partitions a command is about.

export function parsePartitions(text: string): "all" | number[] {
  if (text === "all") return "all";
  if (!/^\d+(,\d+)*$/.test(text)) {
    throw new Error("expected all or partition numbers such as 0,2");
  }
  return [...new Set(text.split(",").map(Number))].sort((a, b) => a - b);
}
