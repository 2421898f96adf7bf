import { Upload } from 'lucide-react';
import { type DragEvent, type ReactNode, useRef, useState } from 'react';
import { carriesFiles, type Dropped, droppedFiles } from '../lib/drop';
import { cx } from './cx';

/** An area that takes files and folders dropped anywhere on it. */
export function DropZone({
  onFiles,
  title,
  text,
  disabled,
  className,
  children,
}: {
  onFiles: (files: Dropped[]) => void;
  title: string;
  text?: string;
  disabled?: boolean;
  className?: string;
  children: ReactNode;
}) {
  const [over, setOver] = useState(false);
  const depth = useRef(0);
  const ours = (e: DragEvent) => {
    if (disabled || !carriesFiles(e.dataTransfer)) return false;
    e.preventDefault();
    return true;
  };
  // Enter and leave come for each child too: only the balance says where the pointer is.
  const onDragEnter = (e: DragEvent) => {
    if (!ours(e)) return;
    depth.current++;
    setOver(true);
  };
  const onDragLeave = (e: DragEvent) => {
    if (!ours(e)) return;
    depth.current--;
    if (depth.current <= 0) setOver(false);
  };
  const onDrop = (e: DragEvent) => {
    if (!ours(e)) return;
    depth.current = 0;
    setOver(false);
    void droppedFiles(e.dataTransfer).then((files) => files.length > 0 && onFiles(files));
  };
  return (
    <div
      className={cx('relative', className)}
      onDragEnter={onDragEnter}
      onDragOver={(e) => void ours(e)}
      onDragLeave={onDragLeave}
      onDrop={onDrop}
    >
      {children}
      {over && (
        <div className="fade-in pointer-events-none absolute inset-2 z-30 flex flex-col items-center justify-center gap-2 rounded-lg border-2 border-dashed border-accent bg-accent-soft/95">
          <Upload className="size-8 text-accent" aria-hidden />
          <p className="text-base font-semibold">{title}</p>
          {text && <p className="text-muted">{text}</p>}
        </div>
      )}
    </div>
  );
}
