import { Tooltip } from 'radix-ui';
import type { ComponentProps, ReactNode } from 'react';
import { cx } from './cx';

const looks = {
  primary: 'bg-accent text-on-accent hover:bg-accent-hover',
  plain: 'border border-line bg-raised hover:bg-hover',
  quiet: 'hover:bg-hover',
  danger: 'bg-danger text-bg hover:opacity-90',
};

interface ButtonProps extends ComponentProps<'button'> {
  look?: keyof typeof looks;
  small?: boolean;
}

/** A button; primary for the one next action of a view. */
export function Button({ look = 'plain', small, className, type = 'button', ...rest }: ButtonProps) {
  return <button type={type} className={cx(buttonClass(look, small), className)} {...rest} />;
}

/** The look of a button for things that are links. */
export function buttonClass(look: keyof typeof looks = 'plain', small = false): string {
  return cx(
    'inline-flex shrink-0 items-center justify-center gap-2 rounded-md font-medium whitespace-nowrap transition-colors',
    'disabled:pointer-events-none disabled:opacity-50',
    small ? 'h-8 px-2.5 text-[0.8125rem]' : 'h-9 px-3',
    looks[look],
  );
}

interface IconButtonProps extends ComponentProps<'button'> {
  /** The name for screen readers and the tip. */
  label: string;
  children: ReactNode;
  side?: 'top' | 'bottom' | 'left' | 'right';
}

/** A button that is only a picture; its name shows on hover and focus. */
export function IconButton({ label, className, side = 'bottom', children, ...rest }: IconButtonProps) {
  return (
    <Tip label={label} side={side}>
      <button
        type="button"
        aria-label={label}
        className={cx(
          'inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted transition-colors hover:bg-hover hover:text-text disabled:pointer-events-none disabled:opacity-50 [&_svg]:size-4',
          className,
        )}
        {...rest}
      >
        {children}
      </button>
    </Tip>
  );
}

/** A short text beside what it explains. */
export function Tip({ label, side = 'bottom', children }: { label: string; side?: IconButtonProps['side']; children: ReactNode }) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content
          side={side}
          sideOffset={4}
          collisionPadding={8}
          className="fade-in z-50 max-w-72 rounded-md bg-text px-2 py-1 text-xs text-bg"
        >
          {label}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
