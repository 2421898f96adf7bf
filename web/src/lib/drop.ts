/** A file that was dropped or chosen, with its path inside the dropped folder. */
export interface Dropped {
  path: string;
  file: File;
}

/** Files that systems leave in folders and nobody wants indexed. */
const noise = /(^|\/)(\.DS_Store|Thumbs\.db|desktop\.ini|~\$[^/]*|\.git\/.*|__MACOSX\/.*)$/;

/** All files of a drop, folders opened. Must be called while the event is handled. */
export async function droppedFiles(transfer: DataTransfer): Promise<Dropped[]> {
  // The entries have to be taken before the first await: the list is empty then.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...transfer.files];
  if (entries.every((e) => e === null)) return plain.map((file) => ({ path: file.name, file }));
  const found: Dropped[] = [];
  for (const entry of entries) if (entry) await walk(entry, found);
  return found.filter((d) => !noise.test(d.path));
}

/** The files of an input element, with their folder paths when a folder was chosen. */
export function chosenFiles(list: FileList | null): Dropped[] {
  return [...(list ?? [])]
    .map((file) => ({ path: file.webkitRelativePath || file.name, file }))
    .filter((d) => !noise.test(d.path));
}

/** Says whether a drag carries files, not text or a link. */
export function carriesFiles(transfer: DataTransfer | null): boolean {
  return transfer?.types.includes('Files') ?? false;
}

async function walk(entry: FileSystemEntry, found: Dropped[]): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path: entry.fullPath.replace(/^\//, ''), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives a folder in portions and an empty one at its end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const child of some) await walk(child, found);
  }
}
