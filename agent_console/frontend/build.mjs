// Bundles the console's scripts into ../static/dist.
import { build } from "esbuild";

await build({
  entryPoints: ["agent", "supervisor", "surge", "calls", "recording-page", "citizen-call", "feed-worker"].map((name) => `src/${name}.js`),
  bundle: true,
  format: "esm",
  minify: true,
  target: ["chrome109", "firefox115", "safari16.4"],
  outdir: "../static/dist",
  legalComments: "linked",
});
