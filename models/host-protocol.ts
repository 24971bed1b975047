/** What the daemon and its inference host say to each other. Typed arrays cross by structured clone. */
import type { Plane } from '../calibration/plane.ts'
import type { LearnedLooks } from '../drivers/look-limits.ts'
import type { Sample } from '../drivers/sample.ts'
import type { Inspection, Inspector } from './inspection.ts'

export interface InspectorOptions {
  readonly bundleFolder: string
  /** Without one every part is `undecided: no-repository`, until one is activated. */
  readonly repositoryFolder?: string
  readonly threads: number
  /** Seeds the plane fit of frames without a calibrated plane. */
  readonly seed: number
  readonly plane?: Plane
  /** Inspections carry the features of the part: 0.5 MB with radar-lite. */
  readonly keepFeatures?: true
}

export interface InspectorDescription {
  readonly bundleId: string
  readonly backend: string
  readonly repositoryId?: string
  /** How frames of its product look. */
  readonly looks?: LearnedLooks
  /** Why the configured repository is not in use. */
  readonly repositoryProblem?: string
}

/** An inspector that the host can run: it names its steps, and changes its repository without a restart. */
export interface HostedInspector extends Inspector {
  describe(): InspectorDescription
  /** Loads, checks, then swaps; on a rejection the repository before stays in use. */
  activate(repositoryFolder: string): Promise<InspectorDescription>
}

/** What the host's inspector module exports. */
export interface InspectorModule {
  readonly makeInspector: (options: InspectorOptions, onStep: (step: string) => void) => HostedInspector
}

export type ToHost =
  | { readonly kind: 'open'; readonly options: InspectorOptions; readonly beatMs: number }
  | { readonly kind: 'inspect'; readonly request: number; readonly sample: Sample }
  | { readonly kind: 'activate'; readonly request: number; readonly repositoryFolder: string }

export type FromHost =
  /** The host lives: sent on a slow interval while idle and at the start of every step. */
  | { readonly kind: 'beat'; readonly step: string; readonly rssBytes: number }
  | { readonly kind: 'opened'; readonly description: InspectorDescription }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'inspected'; readonly request: number; readonly inspection: Inspection }
  | { readonly kind: 'activated'; readonly request: number; readonly description: InspectorDescription }
  | {
      readonly kind: 'not-activated'
      readonly request: number
      readonly code: string
      readonly message: string
    }
