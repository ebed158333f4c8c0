# Buckets, roles and policies of one dataset on AWS: a private bucket (vault and quarantine), a public bucket (releases),
# a role that publishes, a role that reviews. Who may read the releases is `reader_principals`; nobody may by default.
terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.80"
    }
  }
}

locals {
  buckets = { private = var.private_bucket, public = var.public_bucket }
}

resource "aws_kms_key" "private" {
  description             = "Sallyport: private side of ${var.dataset}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

resource "aws_s3_bucket" "side" {
  for_each = local.buckets
  bucket   = each.value

  lifecycle {
    prevent_destroy = true
  }
}

# Nobody outside gets in by an ACL or a policy that was meant for something else; open data is shared by `reader_principals`.
resource "aws_s3_bucket_public_access_block" "side" {
  for_each                = aws_s3_bucket.side
  bucket                  = each.value.id
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = !(each.key == "public" && var.open_to_everybody)
  restrict_public_buckets = !(each.key == "public" && var.open_to_everybody)
}

resource "aws_s3_bucket_ownership_controls" "side" {
  for_each = aws_s3_bucket.side
  bucket   = each.value.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# Versions protect against mistakes; `sallyport withdraw` deletes every version and proves it.
resource "aws_s3_bucket_versioning" "side" {
  for_each = aws_s3_bucket.side
  bucket   = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "side" {
  for_each = aws_s3_bucket.side
  bucket   = each.value.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = each.key == "private" ? "aws:kms" : "AES256"
      kms_master_key_id = each.key == "private" ? aws_kms_key.private.arn : null
    }
    bucket_key_enabled = each.key == "private"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "side" {
  for_each = aws_s3_bucket.side
  bucket   = each.value.id

  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
}

data "aws_iam_policy_document" "side" {
  for_each = aws_s3_bucket.side

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [each.value.arn, "${each.value.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "public" && (var.open_to_everybody || length(var.reader_principals) > 0) ? [1] : []
    content {
      sid       = "Read"
      actions   = ["s3:GetObject", "s3:ListBucket"]
      resources = [each.value.arn, "${each.value.arn}/*"]
      principals {
        type        = var.open_to_everybody ? "*" : "AWS"
        identifiers = var.open_to_everybody ? ["*"] : var.reader_principals
      }
    }
  }
}

resource "aws_s3_bucket_policy" "side" {
  for_each   = aws_s3_bucket.side
  bucket     = each.value.id
  policy     = data.aws_iam_policy_document.side[each.key].json
  depends_on = [aws_s3_bucket_public_access_block.side]
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = var.operator_principals
    }
  }
}

# The nightly run: reads and writes the private side, publishes, and withdraws (every version).
resource "aws_iam_role" "publisher" {
  name               = "sallyport-${var.dataset}-publisher"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

data "aws_iam_policy_document" "publisher" {
  statement {
    actions = [
      "s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketVersioning", "s3:GetObject", "s3:GetObjectVersion",
      "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
    ]
    resources = flatten([for bucket in aws_s3_bucket.side : [bucket.arn, "${bucket.arn}/*"]])
  }
  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.private.arn]
  }
}

resource "aws_iam_role_policy" "publisher" {
  name   = "publish"
  role   = aws_iam_role.publisher.id
  policy = data.aws_iam_policy_document.publisher.json
}

# The reviewer: reads candidates and their reports, never the vault.
resource "aws_iam_role" "reviewer" {
  name               = "sallyport-${var.dataset}-reviewer"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

data "aws_iam_policy_document" "reviewer" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.side["private"].arn}/${var.dataset}/candidates/*"]
  }
  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.side["private"].arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${var.dataset}/candidates/*"]
    }
  }
  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.private.arn]
  }
}

resource "aws_iam_role_policy" "reviewer" {
  name   = "review"
  role   = aws_iam_role.reviewer.id
  policy = data.aws_iam_policy_document.reviewer.json
}
