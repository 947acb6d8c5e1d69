import { useEffect, useRef } from 'react';
import type { ReactNode } from 'react';

interface PanelProps {
  label: string;
  title: string;
  onClose: () => void;
  children: ReactNode;
}

/** What is open beside the list, or on a phone above everything. Escape closes it, and the focus goes back to where it was. */
export function Panel({ label, title, onClose, children }: PanelProps) {
  const panel = useRef<HTMLElement>(null);
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const before = document.activeElement;
    panel.current?.focus({ preventScroll: true });
    const press = (event: KeyboardEvent) => event.key === 'Escape' && close.current();
    window.addEventListener('keydown', press);
    return () => {
      window.removeEventListener('keydown', press);
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  return (
    <section className="card details" aria-label={label} tabIndex={-1} ref={panel}>
      <div className="head">
        <h2>{title}</h2>
        <button className="close" aria-label="Close" onClick={onClose}>
          ×
        </button>
      </div>
      {children}
    </section>
  );
}
