/** What can go wrong around the inspection. Decide on `code`; the message is for a person. */
export type RuntimeErrorCode =
  /** A name that cannot be a level of an MQTT topic. */
  | 'BAD_TOPIC'
  /** Another process holds this station's outbox. Two daemons would give the same numbers. */
  | 'OUTBOX_LOCKED'
  /** The outbox file cannot be opened or is not an outbox; the numbering goes on in memory. */
  | 'OUTBOX_UNREADABLE'
  /** The outbox cannot be written (disk full, I/O error); the numbering goes on in memory. */
  | 'OUTBOX_UNWRITABLE'
  /** The ledger is damaged, not a ledger, or held by another process: nobody knows which repository is in use. */
  | 'LEDGER_UNREADABLE'
  /** The ledger takes no entry (disk full, I/O error, held by another process, or an entry too large): nothing changed. */
  | 'LEDGER_UNWRITABLE'
  /** Another repository is in use by now than the one that was compared with. */
  | 'LEDGER_CONFLICT'
  /** No repository of that id can be put into use: it is not on the disk (any more), or never was in use. */
  | 'REPOSITORY_UNKNOWN'
  /** The archive of inspected parts cannot be opened or asked; the station goes on without it. */
  | 'ARCHIVE_UNREADABLE'
  /** The archive cannot keep a part or a confirmation (disk full, I/O error). */
  | 'ARCHIVE_UNWRITABLE'
  /** The embedded broker cannot listen. */
  | 'BROKER_UNAVAILABLE'
  /** A command or trigger from outside that does not say what its schema asks for. */
  | 'BAD_COMMAND'
  /** There is no repository to take into use, or the inference host refused it; the one before stays. */
  | 'RELOAD_REFUSED'
  /** No repository was made: the station shows no parts to learn from. */
  | 'TEACHING_FAILED'
  /** There is no teaching to stop, or its parts are all there. */
  | 'NOT_TEACHING'
  /** It is unclear what a golden part is, or it cannot be shown again. */
  | 'GOLDEN_REFUSED'
  /** An interrupted teaching with other options waits for somebody to go on with it or to drop it. */
  | 'TEACHING_UNFINISHED'
  /** Which jobs have run cannot be read: they count as never run. */
  | 'SCHEDULE_UNREADABLE'
  /** Which jobs have run cannot be written (disk full, I/O error): it is forgotten with the next restart. */
  | 'SCHEDULE_UNWRITABLE'
  /** A scheduled job did not end in its time. */
  | 'JOB_DEADLINE'
  /** No back-up was made, or not a whole one; those before it are left as they were. */
  | 'BACKUP_FAILED'
  /** There is no repository to work on. */
  | 'NOT_TAUGHT'
  /** One job at a time: another one works on the repositories. */
  | 'JOB_BUSY'
  /** The process that worked on a repository ended without a result, or took too long. */
  | 'JOB_FAILED'
  /** What the kill test wrote down is absent or something else. */
  | 'KILL_COUNTS_UNREADABLE'
  /** A trigger's time was up before its verdict. */
  | 'VERDICT_DEADLINE'
  /** The daemon stops and cannot wait for this trigger any longer. */
  | 'SHUTTING_DOWN'

export class RuntimeError extends Error {
  override readonly name = 'RuntimeError'
  readonly code: RuntimeErrorCode

  constructor(code: RuntimeErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
