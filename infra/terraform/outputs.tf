output "spec" {
  description = "What to write into the spec"
  value = {
    private = "s3://${aws_s3_bucket.side["private"].id}/${var.dataset}"
    public  = "s3://${aws_s3_bucket.side["public"].id}/${var.dataset}"
  }
}

output "roles" {
  value = { for name, role in aws_iam_role.role : name => role.arn }
}
