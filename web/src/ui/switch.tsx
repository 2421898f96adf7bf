import { Switch as Base } from 'radix-ui';

/** On or off, in effect at once. */
export function Switch({ label, on, disabled, onChange }: { label: string; on: boolean; disabled?: boolean; onChange: (on: boolean) => void }) {
  return (
    <Base.Root
      checked={on}
      disabled={disabled}
      aria-label={label}
      onCheckedChange={onChange}
      className="h-5 w-9 shrink-0 rounded-full bg-line-strong p-0.5 transition-colors disabled:opacity-50 data-[state=checked]:bg-accent"
    >
      <Base.Thumb className="block size-4 rounded-full bg-bg transition-transform data-[state=checked]:translate-x-4 rtl:data-[state=checked]:-translate-x-4" />
    </Base.Root>
  );
}
