variable "dataset" {
  description = "Name of the dataset, as in the spec"
  type        = string
  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{0,62}$", var.dataset))
    error_message = "Lower case, digits and hyphens."
  }
}

variable "private_bucket" {
  description = "Bucket of the private side (vault, quarantine, candidates)"
  type        = string
}

variable "public_bucket" {
  description = "Bucket of the releases"
  type        = string
  validation {
    condition     = var.public_bucket != var.private_bucket
    error_message = "The private side and the public side are different buckets."
  }
}

variable "operator_principals" {
  description = "ARNs that may run releases or review them"
  type        = list(string)
}

variable "reader_principals" {
  description = "ARNs that may read the releases; empty: nobody"
  type        = list(string)
  default     = []
}

variable "open_to_everybody" {
  description = "Releases are open data: anybody may list and read them"
  type        = bool
  default     = false
}
