//! Measurements in separate processes: none inherits the heap of another, and each has its own CPU time and
//! peak memory.

use std::{
    env,
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;

/// The argument that marks a measuring process.
const FLAG: &str = "--measure";

/// Returns the arguments of a measuring process, if this is one.
pub(crate) fn orders() -> Option<Vec<String>> {
    let mut arguments = env::args().skip(1);
    (arguments.next()? == FLAG).then(|| arguments.collect())
}

/// A measuring process. It is killed when dropped.
pub(crate) struct Measuring {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Measuring {
    /// Starts this program again.
    pub(crate) fn start(orders: &[&str]) -> Self {
        let program = env::current_exe().expect("a program that runs");
        Self::start_program(Command::new(program).arg(FLAG).args(orders))
    }

    pub(crate) fn start_program(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a program to start");
        let output = child.stdout.take().expect("its output is a pipe");
        Self { child, lines: BufReader::new(output).lines() }
    }

    /// Reads the next line of its output, which is JSON.
    pub(crate) fn next(&mut self) -> Value {
        let line = self.lines.next().expect("a figure from each").expect("a line of text");
        serde_json::from_str(&line).expect("JSON")
    }
}

impl Drop for Measuring {
    fn drop(&mut self) {
        // The process may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a measuring process that prints one line, and returns the line.
pub(crate) fn measured(orders: &[&str]) -> Value {
    Measuring::start(orders).next()
}
