import a11y from 'eslint-plugin-jsx-a11y';
import hooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['src/api/schema.d.ts', 'node_modules', 'test-results', 'playwright-report'] },
  ...ts.configs.recommended,
  a11y.flatConfigs.recommended,
  hooks.configs.flat['recommended-latest'],
  { languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  {
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // Focus is moved on purpose where a dialog or a form opens.
      'jsx-a11y/no-autofocus': 'off',
    },
  },
);
