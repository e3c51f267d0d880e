//! Child processes that cannot outlive this process.
//!
//! A static is never dropped and a killed process runs no code, so `Drop` alone cannot end the
//! programs. Each program runs under a few lines of `sh` that read a pipe. Only this process has the writing
//! end, because the standard library opens it close-on-exec: when this process ends, for whatever
//! reason, the pipe ends too.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::Error;

/// Script that runs a program with its outputs on stderr. Each line of stdin names a signal for the program,
/// and is printed to stdout once the signal is sent; STOP once all threads have stopped, because on a busy
/// machine running threads continue and answer for a moment. The end of stdin means SIGKILL.
const SUPERVISE: &str = r#"
exec 3<&0
"$@" </dev/null >&2 3<&- &
pid=$!
{
    trap '' PIPE
    is_stopped() {
        for thread in /proc/"$pid"/task/*/stat; do
            read -r _ _ state _ <"$thread" || continue
            [ "$state" = T ] || return 1
        done
    }
    while read -r signal; do
        kill -s "$signal" "$pid"
        if [ "$signal" = STOP ]; then
            for _ in 1 2 3 4 5 6 7 8 9 10; do is_stopped && break; sleep 0.1; done
        fi
        echo "$signal"
    done
    kill -s KILL "$pid"
} <&3 2>/dev/null &
reader=$!
exec >&-
wait "$pid"
status=$?
kill "$reader" 2>/dev/null
exit "$status"
"#;

/// Script that removes a folder at the end of stdin; retries if a program still wrote to it.
const REMOVE: &str = r#"
while read -r _; do :; done
for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" && exit; sleep 1; done
"#;

/// Longest wait for the end of a program that was sent SIGKILL.
const KILLED: Duration = Duration::from_secs(10);

/// A program under its supervisor. Dropping it kills the program and waits until the program has ended.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    supervisor: Supervisor,
    sent: Arc<Mutex<BufReader<ChildStdout>>>,
}

impl Process {
    /// Starts a program and appends its outputs to `log`. An inherited output would keep a
    /// pipe open that the caller of the tests may read to its end.
    pub(super) fn spawn(name: &'static str, program: &Command, log: &Path) -> Result<Self, Error> {
        let cannot = || Error::start(format!("cannot start {name}"));
        let file = File::options().create(true).append(true).open(log);
        let file = file.map_err(Error::io(format!("cannot open {}", log.display())))?;
        let mut command = shell(SUPERVISE);
        command.arg(program.get_program()).args(program.get_args());
        command.stdout(Stdio::piped()).stderr(file);
        let mut supervisor =
            Supervisor::start(command).map_err(|cause| cannot().caused_by(cause))?;
        let sent = supervisor.child.stdout.take().ok_or_else(cannot)?;
        Ok(Self { name, supervisor, sent: Arc::new(Mutex::new(BufReader::new(sent))) })
    }

    /// Returns how the program ended, if it did.
    pub(super) fn exited(&mut self) -> Option<ExitStatus> {
        // Nothing else waits for this child, so the call does not fail.
        self.supervisor.child.try_wait().ok().flatten()
    }

    /// Sends a signal, named without `SIG`, and waits until it is sent.
    pub(super) async fn signal(&mut self, signal: &str) {
        let Some(pipe) = &mut self.supervisor.pipe else { return };
        // An error means that the program has just ended, which is the purpose of most signals.
        if writeln!(pipe, "{signal}").is_err() {
            return;
        }
        let sent = Arc::clone(&self.sent);
        let read = move || {
            let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = sent.read_line(&mut String::new());
        };
        let _ = spawn_blocking(read).await;
    }

    /// Stops the program, with the time `grace` to end by itself, and waits until it has ended.
    pub(super) async fn stop(mut self, grace: Duration) -> Result<(), Error> {
        if !grace.is_zero() {
            self.signal("TERM").await;
            // A paused program would not handle SIGTERM.
            self.signal("CONT").await;
            if self.is_gone_within(grace).await {
                return Ok(());
            }
        }
        self.signal("KILL").await;
        if self.is_gone_within(KILLED).await {
            return Ok(());
        }
        Err(Error::timeout(format!("{} was still there {KILLED:?} after SIGKILL", self.name)))
    }

    async fn is_gone_within(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.exited().is_none() {
            if Instant::now() > deadline {
                return false;
            }
            sleep(Duration::from_millis(10)).await;
        }
        true
    }
}

/// Removes a folder when this process has ended, or when it is dropped.
#[derive(Debug)]
pub(super) struct Janitor {
    _supervisor: Supervisor,
}

impl Janitor {
    pub(super) fn of(folder: &Path) -> Result<Self, Error> {
        let mut command = shell(REMOVE);
        command.arg(folder);
        // Run neither in the removed folder, nor in one that the user may want to remove.
        command.current_dir("/");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let supervisor = Supervisor::start(command).map_err(Error::io("cannot run `sh`"))?;
        Ok(Self { _supervisor: supervisor })
    }
}

/// A shell that acts at the end of its stdin. Dropping it closes the pipe and waits for the shell.
#[derive(Debug)]
struct Supervisor {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Supervisor {
    fn start(mut command: Command) -> io::Result<Self> {
        // A separate process group: Ctrl-C at the terminal ends the test process, and its end stops
        // the program.
        command.process_group(0);
        command.stdin(Stdio::piped());
        let mut child = command.spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let pause = Duration::from_millis(5);
        let mut left = KILLED;
        while matches!(self.child.try_wait(), Ok(None)) && !left.is_zero() {
            thread::sleep(pause);
            left = left.saturating_sub(pause);
        }
    }
}

/// Returns the last lines of a log, below its name.
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

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts a program that logs its process id and then `script`.
    fn start(log: &Path, script: &str) -> Process {
        let mut program = Command::new("sh");
        program.args(["-c", &format!("echo $$; {script}")]);
        Process::spawn("a program", &program, log).unwrap()
    }

    /// Waits until the log has a line that is accepted.
    async fn line(log: &Path, accept: impl Fn(&str) -> bool) -> String {
        for _ in 0..1000 {
            let text = fs::read_to_string(log).unwrap();
            if let Some(line) = text.lines().find(|line| accept(line)) {
                return line.to_owned();
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{}", tail(log));
    }

    fn runs(pid: &str) -> bool {
        let mut kill = Command::new("kill");
        kill.args(["-0", pid]).stderr(Stdio::null()).status().unwrap().success()
    }

    #[tokio::test]
    async fn dropping_a_process_ends_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let process = start(&log, "exec sleep 1000");
        let pid = line(&log, |_| true).await;
        assert!(runs(&pid));
        drop(process);
        assert!(!runs(&pid));
    }

    #[tokio::test]
    async fn a_program_is_asked_before_it_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
        let mut process = start(&log, script);
        line(&log, |line| line == "ready").await;
        process.signal("STOP").await;
        assert!(process.exited().is_none());
        process.stop(KILLED).await.unwrap();
        line(&log, |line| line == "asked").await;

        let mut process = start(&log, "exit 7");
        assert!(process.is_gone_within(KILLED).await);
        assert_eq!(process.exited().unwrap().code(), Some(7));
        process.signal("TERM").await;
        process.stop(KILLED).await.unwrap();
    }

    #[tokio::test]
    async fn the_janitor_removes_its_folder() {
        let folder = tempfile::tempdir().unwrap().keep();
        fs::write(folder.join("file"), "text").unwrap();
        let janitor = Janitor::of(&folder).unwrap();
        assert!(folder.exists());
        drop(janitor);
        assert!(!folder.exists());
    }
}
