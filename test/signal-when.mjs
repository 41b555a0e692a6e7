// Imported into a child process: sends it SIGNAL as soon as it has printed SIGNAL_WHEN. A signal sent from outside
// races with the child's end; this one cannot come late, however busy the machine is.
const { SIGNAL = "", SIGNAL_WHEN = "" } = process.env;
const write = process.stdout.write.bind(process.stdout);
let printed = "";
let sent = false;
process.stdout.write = (...args) => {
  const written = write(...args);
  printed += String(args[0]);
  if (!sent && printed.includes(SIGNAL_WHEN)) sent = process.kill(process.pid, SIGNAL);
  return written;
};
