//! The exposition.

use super::report::{Judged, broken};
use super::samples;
use super::subject::{ACCEPTS, Subject, publish};

pub(super) async fn scrape(subject: &Subject) -> Judged {
    let instance = subject.open().await?;
    publish(&instance, &samples::batch(&samples::usual(), 0)).await?;
    for accept in ACCEPTS {
        match (instance.scrape(accept).await?, instance.profile().scrapes) {
            (None, true) => return broken(format!("its profile says that it is scraped, and {accept:?} gets nothing")),
            (Some(_), false) => {
                return broken(format!("its profile says that it is not scraped, and {accept:?} gets an exposition"));
            }
            (Some(page), true) if !page.content_type.contains('/') => {
                return broken(format!("its content type {:?} is none, such as text/plain", page.content_type));
            }
            _ => {}
        }
    }
    Ok(())
}
