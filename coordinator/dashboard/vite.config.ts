import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Everything is served by the coordinator: no request leaves its address. Inlined data URLs would need a wider CSP.
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: { outDir: 'build', emptyOutDir: true, assetsInlineLimit: 0, target: 'es2022' },
});
