//! The text form of `Debounce`, for configurations.

use std::{fmt, time::Duration};

use k8s_openapi::jiff::SignedDuration;

use super::{
    Debounce,
    debounce::{Mode, Quiet},
};
use crate::{
    error::{Error, ErrorKind},
    text::has_text,
};

/// Prefix of the text of a silence, and of its ceiling.
const QUIET: &str = "quiet ";
const MAX: &str = "max ";

impl Debounce {
    /// Parses an interval, such as `500ms` or `1m 30s`, or a silence, such as `quiet 200ms` or
    /// `quiet 200ms, max 5s`. `text.parse()` does the same.
    ///
    /// # Errors
    ///
    /// [`is_setting`](Error::is_setting) if the text is none of these.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use kube_weir::Debounce;
    ///
    /// let ms = Duration::from_millis;
    /// assert_eq!(Debounce::parse("500ms")?, Debounce::interval(ms(500)));
    /// assert_eq!(Debounce::parse("quiet 200ms")?, Debounce::quiet(ms(200)).into());
    /// let quiet = Debounce::parse("quiet 200ms, max 5s")?;
    /// assert_eq!(quiet, Debounce::quiet(ms(200)).max_wait(ms(5000)).into());
    /// assert_eq!(quiet.to_string(), "quiet 200ms, max 5s");
    ///
    /// let error = Debounce::parse("500").unwrap_err();
    /// assert!(error.is_setting() && error.to_string().contains("`500`"), "{error}");
    /// # Ok::<(), kube_weir::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Error> {
        let Some(quiet) = text.trim().strip_prefix(QUIET) else {
            return duration(text, text).map(Self::interval);
        };
        let Some((silence, rest)) = quiet.split_once(',') else {
            return Ok(Self::quiet(duration(quiet, text)?).into());
        };
        let Some(ceiling) = rest.trim_start().strip_prefix(MAX) else {
            return duration(quiet, text).map(|silence| Self::quiet(silence).into());
        };
        let (silence, ceiling) = (duration(silence, text)?, duration(ceiling, text)?);
        if ceiling < silence {
            let why = format!("in debounce `{text}` the longest wait is shorter than the silence");
            return Err(Error::new(ErrorKind::Setting, why));
        }
        Ok(Self::quiet(silence).max_wait(ceiling).into())
    }
}

fn duration(part: &str, text: &str) -> Result<Duration, Error> {
    let part = part.trim();
    let duration = part.parse::<SignedDuration>().ok();
    duration.and_then(|own| Duration::try_from(own).ok()).ok_or_else(|| {
        let why = format!(
            "`{part}` in debounce `{text}` is no duration; write `500ms`, or `quiet 200ms, max 5s`"
        );
        Error::new(ErrorKind::Setting, why)
    })
}

impl fmt::Display for Debounce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode() {
            Mode::Interval(interval) => written(interval).fmt(f),
            Mode::Quiet(quiet) => quiet.fmt(f),
        }
    }
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (silence, ceiling) = (written(self.silence()), written(self.ceiling()));
        write!(f, "{QUIET}{silence}")?;
        if Debounce::quiet(self.silence()) == *self {
            Ok(())
        } else {
            write!(f, ", {MAX}{ceiling}")
        }
    }
}

/// Formats a duration for people; longer ones are cut to the maximum that a configuration can have.
fn written(duration: Duration) -> String {
    format!("{:#}", SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX))
}

has_text!(Debounce, Error, "a duration, such as \"500ms\", or \"quiet 200ms, max 5s\"");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_longest_wait_below_the_silence_is_rejected() {
        let error = Debounce::parse("quiet 1s, max 200ms").unwrap_err();
        assert!(
            error.is_setting() && error.to_string().contains("shorter than the silence"),
            "{error}"
        );
        assert_eq!(
            Debounce::parse("quiet 1s,max 5s").unwrap(),
            Debounce::parse("quiet 1s, max 5s").unwrap()
        );
    }

    #[test]
    fn text_that_is_no_debounce_is_rejected() {
        for text in
            ["", "500", "-1s", "quiet", "quiet 1", "quiet 1s, max", "quiet 1s, max 2", "1s, max 2s"]
        {
            let error = Debounce::parse(text).unwrap_err();
            assert!(
                error.is_setting() && error.to_string().contains("is no duration"),
                "{text}: {error}"
            );
        }
        let error = serde_json::from_str::<Debounce>("500").unwrap_err().to_string();
        assert!(error.contains("expected a duration, such as \"500ms\""), "{error}");
    }

    proptest! {
        #[test]
        fn a_debounce_comes_back_from_its_text(
            interval in any::<Duration>(),
            silence in any::<Duration>(),
            ceiling in any::<Duration>(),
        ) {
            let cut = |duration: Duration| {
                duration.min(Duration::try_from(SignedDuration::MAX).unwrap())
            };
            let (interval, silence, ceiling) = (cut(interval), cut(silence), cut(ceiling));
            for debounce in [
                Debounce::interval(interval),
                Debounce::quiet(silence).into(),
                Debounce::quiet(silence).max_wait(silence.max(ceiling)).into(),
            ] {
                prop_assert_eq!(&debounce.to_string().parse::<Debounce>().unwrap(), &debounce);
                let json = serde_json::to_string(&debounce).unwrap();
                prop_assert_eq!(serde_json::from_str::<Debounce>(&json).unwrap(), debounce);
            }
        }
    }
}
