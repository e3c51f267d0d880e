//! Child processes that cannot outlive the test process.
//!
//! Statics are never dropped and a killed process runs nothing, so no `Drop` can end the servers.
//! Instead each runs under a few lines of `sh` that read a pipe whose other end is held here, and
//! nowhere else: the standard library opens it close-on-exec. When this process is gone, for
//! whatever reason, the pipe ends.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Each line of stdin names a signal to send on; the end of stdin means SIGKILL.
const SUPERVISE: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
pid=$!
{ while read -r signal; do kill -s "$signal" "$pid"; done; kill -s KILL "$pid"; } <&3 &
reader=$!
wait "$pid"
status=$?
kill "$reader"
exit "$status"
"#;

/// Removes a folder at the end of stdin; again, if a server wrote to it in its last moment.
const REMOVE: &str = r#"
while read -r _; do :; done
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" && exit; sleep 1; done
"#;

/// A program under its supervisor. Dropping it kills the program.
pub(super) struct Process {
    name: &'static str,
    supervisor: Child,
    signals: ChildStdin,
}

impl Process {
    /// Starts `program`, both of its outputs going to `log`: an inherited one would keep a pipe
    /// open that whoever started the tests reads to its end.
    pub(super) fn spawn(name: &'static str, program: &Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log);
        let log = log.expect("cannot open a log file");
        let mut command = sh(SUPERVISE);
        command.arg(program.get_program()).args(program.get_args());
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        for (key, value) in program.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command.stdout(log.try_clone().expect("cannot clone a file handle"));
        command.stderr(log);
        let (supervisor, signals) = start(command);
        Self { name, supervisor, signals }
    }

    /// How the program ended, if it did.
    pub(super) fn exited(&mut self) -> Option<ExitStatus> {
        self.supervisor.try_wait().expect("cannot wait for a child")
    }

    /// Sends a signal by its name without `SIG`.
    pub(super) fn signal(&mut self, signal: &str) {
        // It fails when the program has just ended by itself, which is what most signals are for.
        let _ = writeln!(self.signals, "{signal}");
    }

    /// Ends the program, giving it `grace` to do so by itself, and waits until it is gone.
    pub(super) async fn stop(mut self, grace: Duration) {
        if !grace.is_zero() {
            self.signal("TERM");
            if self.gone_within(grace).await {
                return;
            }
        }
        self.signal("KILL");
        let gone = self.gone_within(Duration::from_secs(10)).await;
        assert!(gone, "{} survived SIGKILL", self.name);
    }

    async fn gone_within(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.exited().is_none() {
            if Instant::now() > deadline {
                return false;
            }
            sleep(Duration::from_millis(20)).await;
        }
        true
    }
}

/// Removes a folder when this process has ended.
pub(super) struct Janitor {
    _supervisor: Child,
    _pipe: ChildStdin,
}

impl Janitor {
    pub(super) fn of(folder: &Path) -> Self {
        let mut command = sh(REMOVE);
        command.arg(folder);
        // Not in the folder that it removes, nor in one that the user wants to remove.
        command.current_dir("/");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let (supervisor, pipe) = start(command);
        Self { _supervisor: supervisor, _pipe: pipe }
    }
}

/// The last lines of a log, for messages.
pub(super) fn tail(log: &Path) -> String {
    const BYTES: u64 = 6000;
    let mut text = Vec::new();
    let read = fs::metadata(log).and_then(|metadata| {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(metadata.len().saturating_sub(BYTES)))?;
        file.read_to_end(&mut text)
    });
    match read {
        Ok(_) => format!("{}:\n{}\n", log.display(), String::from_utf8_lossy(&text)),
        Err(error) => format!("{}: {error}\n", log.display()),
    }
}

fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]);
    command
}

fn start(mut command: Command) -> (Child, ChildStdin) {
    // A group of its own: Ctrl-C at the terminal is for the test process, whose end does the rest.
    command.process_group(0);
    command.stdin(Stdio::piped());
    let mut child = command.spawn().expect("cannot run `sh`");
    let pipe = child.stdin.take().expect("stdin is piped");
    (child, pipe)
}
