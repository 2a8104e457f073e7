//! A xenstore of a map.

use crate::store::Store;
use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use core::cell::{Cell, RefCell};
use core::fmt;

/// A store that the driver and the test share.
#[derive(Clone, Default, Debug)]
pub struct SimStore {
    keys: Rc<RefCell<BTreeMap<String, String>>>,
    watches: Rc<RefCell<BTreeSet<String>>>,
    /// How many more calls succeed.
    refuse_after: Rc<RefCell<Option<usize>>>,
    /// The next write of several keys is done, and its answer is lost.
    pub lose_answer: Rc<Cell<bool>>,
}

/// The simulated store was told to refuse.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreRefused;

impl fmt::Display for StoreRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EIO")
    }
}

impl SimStore {
    pub const FRONT: &'static str = "device/vif/0";
    pub const BACKEND: &'static str = "/local/domain/0/backend/vif/7/0";

    /// A store as the toolstack leaves it: a device, and a backend with these keys in InitWait.
    pub fn with_device(features: &[(&str, &str)]) -> Self {
        let store = Self::default();
        store.plug_in();
        for (key, value) in features {
            store.set_back(key, value);
        }
        store
    }

    /// The toolstack's keys for one device.
    pub fn plug_in(&self) {
        for (key, value) in
            [("backend", Self::BACKEND), ("backend-id", "0"), ("mac", "00:16:3e:01:02:03"), ("state", "1")]
        {
            self.set(&path(Self::FRONT, key), value);
        }
        for (key, value) in [("online", "1"), ("feature-rx-copy", "1"), ("state", "2")] {
            self.set_back(key, value);
        }
    }

    /// Takes the device away.
    pub fn unplug(&self) {
        self.keys
            .borrow_mut()
            .retain(|key, _| !key.starts_with(Self::FRONT) && !key.starts_with(Self::BACKEND));
    }

    pub fn set(&self, key: &str, value: &str) {
        self.keys.borrow_mut().insert(key.to_owned(), value.to_owned());
    }

    pub fn set_back(&self, key: &str, value: &str) {
        self.set(&path(Self::BACKEND, key), value);
    }

    pub fn set_front(&self, key: &str, value: &str) {
        self.set(&path(Self::FRONT, key), value);
    }

    pub fn remove(&self, key: &str) {
        self.keys.borrow_mut().remove(key);
    }

    pub fn get(&self, key: &str) -> Option<String> {
        self.keys.borrow().get(key).cloned()
    }

    pub fn front(&self, key: &str) -> Option<String> {
        self.get(&path(Self::FRONT, key))
    }

    pub fn front_number(&self, key: &str) -> u32 {
        self.front(key).unwrap_or_else(|| panic!("no {key}")).parse().unwrap()
    }

    pub fn watches(&self) -> BTreeSet<String> {
        self.watches.borrow().clone()
    }

    /// Lets `calls` more calls succeed (`None`: all).
    pub fn refuse_after(&self, calls: Option<usize>) {
        *self.refuse_after.borrow_mut() = calls;
    }

    fn call(&self) -> Result<(), StoreRefused> {
        match &mut *self.refuse_after.borrow_mut() {
            None => Ok(()),
            Some(0) => Err(StoreRefused),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

fn path(folder: &str, key: &str) -> String {
    [folder, "/", key].concat().to_string()
}

impl Store for SimStore {
    type Error = StoreRefused;

    fn read(&mut self, path: &str) -> Result<Option<String>, StoreRefused> {
        self.call()?;
        Ok(self.get(path))
    }

    fn write(&mut self, entries: &[(String, Option<String>)]) -> Result<(), StoreRefused> {
        self.call()?;
        for (key, value) in entries {
            match value {
                Some(value) => self.set(key, value),
                None => self.remove(key),
            }
        }
        if entries.len() > 1 && self.lose_answer.take() { Err(StoreRefused) } else { Ok(()) }
    }

    fn watch(&mut self, path: &str) -> Result<(), StoreRefused> {
        self.call()?;
        self.watches.borrow_mut().insert(path.to_owned());
        Ok(())
    }

    fn unwatch(&mut self, path: &str) -> Result<(), StoreRefused> {
        self.call()?;
        self.watches.borrow_mut().remove(path);
        Ok(())
    }
}
