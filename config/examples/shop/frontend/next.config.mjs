export default {
  // Only what the server needs, in .next/standalone.
  output: "standalone",
  poweredByHeader: false,
};
